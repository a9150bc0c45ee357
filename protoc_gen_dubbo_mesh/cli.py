"""The command line, for people rather than for protoc."""

from __future__ import annotations

import sys

from . import __version__
from . import parameters as options

_HELP = f"""\
usage: protoc --dubbo-mesh_out=OUT [--dubbo-mesh_opt=NAME=VALUE,...] FILE.proto...
       protoc-gen-dubbo-mesh generate [--help]
       protoc-gen-dubbo-mesh --help | --version | --proto-path

A protoc plugin: for each FILE.proto with services it writes FILE_mesh.py, with gRPC (Dubbo Triple) stubs and
servicers for Python that are native to a service mesh. It stands beside protoc's FILE_pb2.py.

  python -m grpc_tools.protoc -I protos --python_out=gen --pyi_out=gen --dubbo-mesh_out=gen \\
      --dubbo-mesh_opt=app=demo,port=50051 protos/greeter.proto

parameters, separated by commas; a config wins over options in the proto, and those over parameters:
{options.HELP}
commands:
  generate      runs protoc and the plugin over all protos of a project: generate --help

options:
  --help        show this and exit
  --version     show the version and exit
  --proto-path  print the directory to give protoc with -I, for import "dubbo_mesh/v1/options.proto"
"""


def answer(arguments: list[str]) -> int:
    """Runs what the arguments ask for; returns the exit status."""
    match arguments:
        case ["--help" | "-h"]:
            sys.stdout.write(_HELP)
        case ["--version"]:
            sys.stdout.write(f"protoc-gen-dubbo-mesh {__version__}\n")
        case ["--proto-path"]:
            from .project.sources import proto_path

            sys.stdout.write(f"{proto_path()}\n")
        case ["generate", *rest]:
            from .project.command import generate

            return generate(rest)
        case _:
            sys.stderr.write(
                f"protoc-gen-dubbo-mesh: unknown arguments {' '.join(arguments)!r}: see --help\n"
            )
            return 2
    return 0
