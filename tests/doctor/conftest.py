"""What several tests of the doctor share."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator

import pytest

from tests.calling.echo import EchoServicer, EchoStub


@pytest.fixture(scope="session")
def echo_module() -> Iterator[str]:
    """The name of a module with the echo service, as the plugin would generate it."""
    module = types.ModuleType("doctor_echo_mesh")
    vars(module).update(EchoStub=EchoStub, EchoServicer=EchoServicer)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, module.__name__, module)
        yield module.__name__
