"""What the runtime logs goes where the application sends it, and nowhere else."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

# A warning, by way of each of the faces that load the package.
SYNC = "import dubbo_mesh; dubbo_mesh.Target('shop').url"
ASYNC = """
import dubbo_mesh.aio
dubbo_mesh.aio.Stub
from dubbo_mesh._contract.target import Target
Target('shop').url
"""
CONFIGURE = "import logging; logging.basicConfig(format='%(name)s %(levelname)s %(message)s')\n"


def run(script: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", script]
    environ = {**os.environ, "POD_NAMESPACE": ""}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environ)


@pytest.mark.parametrize("script", [SYNC, ASYNC])
def test_nothing_is_printed_unless_logging_is_configured(script: str) -> None:
    assert run(script).stderr == ""
    logged = run(CONFIGURE + script).stderr
    assert logged.startswith("dubbo_mesh._contract.target WARNING no namespace is known for app 'shop'")


def test_the_package_alone_does_not_load_logging() -> None:
    assert run("import sys, dubbo_mesh; print('logging' in sys.modules)").stdout == "False\n"
