"""A project that sets something in every source, and the command that explains it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from protoc_gen_dubbo_mesh.cli import answer
from tests.hooks.samples import write

PYPROJECT = """\
[tool.dubbo-mesh]
roots = ["protos"]
out = "gen"

[tool.dubbo-mesh.options]
config = "mesh.toml"
service_config = "grpc.json"
namespace = "shop"
group = "blue"
"""

ORDERS = """\
syntax = "proto3";

package explained.v1;

import "dubbo_mesh/v1/options.proto";

// Options by dots: protoc records a line for each.
service Orders {
  option (dubbo_mesh.v1.service).app = "orders";
  option (dubbo_mesh.v1.service).labels = { key: "tier" value: "gold" };
  option (dubbo_mesh.v1.service).defaults.stream_duration = { seconds: 60 };
  option (dubbo_mesh.v1.service).defaults.inherit_timeout = false;

  rpc Place(Order) returns (Order) {
    option (dubbo_mesh.v1.method).timeout = { seconds: 3 };
    option (dubbo_mesh.v1.method).retry.attempts = 1;
  }

  rpc Find(Order) returns (stream Order) {
    option idempotency_level = NO_SIDE_EFFECTS;
    option (dubbo_mesh.v1.method) = {
      upstream_alt_stat_name: "find"
      retry { attempts: 3 }
    };
  }

  rpc Cancel(stream Order) returns (Order) {
    option (dubbo_mesh.v1.method).retry = { attempts: 2 };
    option (dubbo_mesh.v1.method).timeout = { seconds: 20 };
  }

  rpc Track(stream Order) returns (stream Order);
}

// Options in braces: protoc records the line on which they begin.
service Stock {
  option (dubbo_mesh.v1.service) = {
    version: "2.0.0"
    defaults {
      timeout { seconds: 5 }
      per_try_timeout { seconds: 1 }
    }
  };

  rpc Count(Order) returns (Order);
}

message Order {
  string id = 1;
}
"""

CONFIG = """\
[services."explained.*"]
port = 50051
version = "1.0.0"
aliases = ["lower-first"]
defaults = { timeout_alt_response = false }

[services."explained.v1.Orders"]
port = 50052

[services."explained.*".methods."F*"]
decorator_operation = "find orders"

[services."explained.v1.Orders".methods.Find]
per_try_timeout = "500ms"
"""

SERVICE_CONFIG = """\
{
  "methodConfig": [
    {
      "name": [{ "service": "explained.v1.Orders", "method": "Track" }],
      "timeout": "7s",
      "retryPolicy": {
        "maxAttempts": 4,
        "initialBackoff": "0.1s",
        "retryableStatusCodes": ["UNAVAILABLE", "ABORTED"]
      }
    }
  ]
}
"""

FILES = {
    "pyproject.toml": PYPROJECT,
    "protos/orders.proto": ORDERS,
    "mesh.toml": CONFIG,
    "grpc.json": SERVICE_CONFIG,
}


def line_of(file: str, text: str) -> str:
    """`file:line` of the only line of a file of the project that contains `text`."""
    (number,) = [number for number, line in enumerate(FILES[file].splitlines(), 1) if text in line]
    return f"{file}:{number}"


class Explaining:
    """The command, run in a project.

    Attributes:
        project: the project's directory, which is the working directory.
        out, err: what the last run printed.
    """

    def __init__(self, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.project = project
        self._capsys = capsys
        self.out = self.err = ""

    def __call__(self, *arguments: str) -> int:
        """Runs it; returns its exit status."""
        try:
            status = answer(["explain", *arguments])
        except SystemExit as stop:
            status = int(str(stop.code))
        self.out, self.err = self._capsys.readouterr()
        return status

    def text(self, *arguments: str) -> str:
        """What it prints."""
        assert self(*arguments) == 0, self.err
        assert self.err == ""
        return self.out

    def json(self, *arguments: str) -> Any:
        """What it prints, parsed: no number may be infinite."""
        printed = self.text("--json", *arguments)
        assert printed.isascii()
        return json.loads(printed, parse_constant=pytest.fail)

    def write(self, files: dict[str, str]) -> None:
        """Writes files of the project."""
        write(self.project, files)
