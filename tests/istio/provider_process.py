"""A pod's app as a process of its own, which drains on SIGTERM.

python -m tests.istio.provider_process DIRECTORY ADDRESS SETTING=JSON...

DIRECTORY has the generated modules. Logs of what happens go to standard error.
"""

from __future__ import annotations

import importlib
import json
import logging
import sys
from typing import Any

import grpc
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh


def main(directory: str, address: str, *assignments: str) -> None:
    """Serves until SIGTERM."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    sys.path.insert(0, directory)
    base: Any = importlib.import_module("greeter_mesh").GreeterServicer
    settings: dict[str, Any] = {
        name: json.loads(value) for name, _, value in (each.partition("=") for each in assignments)
    }

    def hello(self: Any, request: StringValue, context: grpc.ServicerContext) -> StringValue:
        return StringValue(value=address)

    dubbo_mesh.serve(type("Greeter", (base,), {"hello": hello})(), address=address, **settings)


if __name__ == "__main__":
    main(*sys.argv[1:])
