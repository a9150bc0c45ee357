"""Runs programs of the tests in a network and with mounts of their own, as in a pod."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

_REPOSITORY = Path(__file__).parents[1]


def seen_in(program: str, *arguments: object) -> dict[str, Any]:
    """Runs a program, and returns what it has seen: the JSON object that it prints.

    Args:
        program: a module, such as `tests.addressing.pod`. The mesh's environment variables of this process
            are not passed on to it.
        arguments: of the program.
    """
    as_root = [] if os.geteuid() == 0 else ["--map-root-user"]
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("DUBBO_MESH_") and name not in ("POD_NAMESPACE", "CLUSTER_DOMAIN")
    }
    run = subprocess.run(
        [
            *("unshare", *as_root, "--mount", "--net"),
            *(sys.executable, "-m", program, *map(str, arguments)),
        ],
        cwd=_REPOSITORY,
        env={**environment, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, f"the error of {program} is above"
    seen: dict[str, Any] = json.loads(run.stdout)
    return seen
