"""The condition of a sidecar as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dubbo_mesh._doctor.sidecar.condition import TESTED
from tests import sidecars
from tests.doctor.hostile import INFO, answering, asked
from tests.doctor.running import examined, ids
from tests.doctor.upstreams import bad, call, doctor, service, serving


@pytest.fixture
def consumer() -> Iterator[sidecars.Sidecar]:
    with serving() as server, sidecars.Sidecar("consumer", egress=[service("well", server)]) as sidecar:
        yield sidecar


@pytest.mark.finds("DM223")
def test_a_sidecar_that_was_told_to_be_failing(consumer: sidecars.Sidecar) -> None:
    assert bad(doctor(consumer, "well")) == set()
    consumer.admin.fail_health_check()
    assert bad(doctor(consumer, "well")) == {"DM223"}
    assert call(consumer.egress, "well") == "OK"  # its own calls work
    consumer.admin.pass_health_check()
    assert bad(doctor(consumer, "well")) == set()


@pytest.mark.finds("DM234")
@pytest.mark.parametrize("minor", [-1, 1])
def test_a_version_that_is_not_known(consumer: sidecars.Sidecar, minor: int) -> None:
    major, known = TESTED[0 if minor < 0 else 1]
    version = f"9e558093/{major}.{known + minor}.0/Clean/RELEASE/BoringSSL"
    info: Any = {**INFO, "version": version}
    with asked(answering({"/server_info": info, "/config_dump": {"configs": []}, "/clusters": {}})) as peer:
        findings = examined(variables={"DUBBO_MESH_ADMIN": peer.address})
    [found] = [each for each in findings if each.id == "DM234"]
    assert f"Envoy {major}.{known + minor}" in found.finding
    assert bad(findings) == set()
    assert "DM234" not in ids(doctor(consumer, "well"))


def test_a_sidecar_beside_a_server_that_calls_directly(consumer: sidecars.Sidecar) -> None:
    """It is still told when the server goes down, so it is looked at; but calls do not go through it."""
    direct = {"DUBBO_MESH_MODE": "direct", "DUBBO_MESH_ADMIN": consumer.admin_address}
    findings = examined(variables=direct)
    assert any(each.check == "admin" and each.status == "ok" for each in findings)
    [headers] = [each for each in findings if each.check == "headers"]
    assert headers.status == "skipped"
    assert "the mode is direct" in headers.finding
