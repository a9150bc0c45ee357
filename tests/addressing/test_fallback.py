"""Main and backup: past the sidecar while it is out of reach, through it again when it is back."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

import localmesh
from dubbo_mesh import ConfigurationError, Target
from dubbo_mesh._addressing import dialing
from dubbo_mesh._addressing.fallback import RETURN_AFTER
from tests import sidecars
from tests.addressing.control_plane import ControlPlane
from tests.addressing.load import Kind, Load
from tests.addressing.providers import HOLD, Provider, serving
from tests.calling.echo import EchoAsyncStub, EchoStub

AFTER = 0.4
"""Seconds."""
UNSEEN = 1.5
"""Seconds in which a stub without calls must have seen that the sidecar is gone; it looks every 0.2 s."""

Fallback = Literal["direct", "proxyless"]


@dataclass
class Mesh:
    """One provider that is reached through the sidecar, one that is reached past it."""

    sidecar: sidecars.Sidecar
    meshed: Provider
    backup: Provider


@pytest.fixture
def mesh(target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mesh]:
    with serving(Provider("meshed")) as meshed, serving(Provider("backup")) as backup:
        service = sidecars.MeshService(target.app, target.port, [meshed.address], health_check=None)
        with sidecars.Sidecar("sidecar", egress=[service], directory=tmp_path / "sidecar") as sidecar:
            monkeypatch.setenv("DUBBO_MESH_EGRESS", sidecar.egress)
            yield Mesh(sidecar, meshed, backup)


@pytest.fixture
def fall_back(
    mesh: Mesh, target: Target, control_plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Fallback], None]:
    def configure(fallback: Fallback) -> None:
        monkeypatch.setenv("DUBBO_MESH_FALLBACK", fallback)
        monkeypatch.setenv("DUBBO_MESH_FALLBACK_AFTER", str(AFTER))
        if fallback == "direct":
            monkeypatch.setenv("DUBBO_MESH_DIRECT", f"{target.app}={mesh.backup.address}")
        else:
            control_plane.serve(target.authority, [mesh.backup.address])

    return configure


def logged(caplog: pytest.LogCaptureFixture, words: str) -> float:
    """Waits for the one log entry with these words; returns when it was written, as of `time.time()`."""
    (record,) = localmesh.wait_until(
        lambda: [record for record in caplog.records if words in record.getMessage()],
        what=f"{words!r} is logged",
    )
    assert (record.name, record.levelno) == ("dubbo_mesh._addressing.fallback", logging.WARNING)
    return record.created


LEFT, BACK = "the sidecar has been out of reach for", "the sidecar is back"


@pytest.mark.parametrize("fallback", ["direct", "proxyless"])
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_the_sidecar_dies_under_load_and_comes_back(
    kind: Kind,
    fallback: Fallback,
    mesh: Mesh,
    target: Target,
    fall_back: Callable[[Fallback], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    fall_back(fallback)
    with Load(target).running(kind) as load:
        load.wait_for("meshed")
        mesh.sidecar.kill()
        load.wait_for("backup")
        mesh.sidecar.start()
        load.wait_for("meshed")
    left, back = logged(caplog, LEFT), logged(caplog, BACK)
    assert f"calls to {target.app} go {fallback}" in caplog.text
    # No call is run twice, not even one that failed.
    ran = mesh.meshed.ran + mesh.backup.ran
    assert set(ran.values()) == {1}
    # The calls that fail are those that were under way or started until the fallback was taken; none fails
    # when it is left.
    assert load.failures
    assert {each.code for each in load.failures} == {grpc.StatusCode.UNAVAILABLE}
    assert max(each.started for each in load.failures) <= left
    # It is taken when the sidecar has been away for so long, by the clock that counts it; that it is not
    # taken before, the next test shows. It is left a little after the sidecar is back: channels reconnect.
    assert f"{LEFT} {AFTER:g} s" in caplog.text
    assert max(each.started for each in load.outcomes if each.answer == "backup") <= back + RETURN_AFTER


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize(
    ("fallback", "after"), [("off", AFTER), ("direct", 3600)], ids=["no fallback", "a late one"]
)
def test_until_a_fallback_is_taken_calls_fail_while_the_sidecar_is_away(
    kind: Kind,
    fallback: str,
    after: float,
    mesh: Mesh,
    target: Target,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("DUBBO_MESH_DIRECT", f"{target.app}={mesh.backup.address}")
    monkeypatch.setenv("DUBBO_MESH_FALLBACK", fallback)
    monkeypatch.setenv("DUBBO_MESH_FALLBACK_AFTER", str(after))
    with Load(target).running(kind) as load:
        load.wait_for("meshed")
        mesh.sidecar.kill()
        load.wait_for(None)
        localmesh.wait_until(
            lambda: load.failures[-1].started - load.failures[0].started > 3 * AFTER,
            what="calls have long failed",
        )
        load.wait_for(None)
        mesh.sidecar.start()
        load.wait_for("meshed")
    assert not mesh.backup.ran
    # Without a fallback, dialling warns that the direct address is of no use.
    assert all("DUBBO_MESH_DIRECT is not used" in record.getMessage() for record in caplog.records)
    assert set(mesh.meshed.ran.values()) == {1}


def test_an_idle_stub_notices_too(
    mesh: Mesh, target: Target, fall_back: Callable[[Fallback], None], caplog: pytest.LogCaptureFixture
) -> None:
    fall_back("direct")
    unary = EchoStub(target=target).unary  # the callable alone, as some bind it
    assert unary(StringValue(), timeout=5, wait_for_ready=True).value == "meshed"
    mesh.sidecar.kill()
    time.sleep(AFTER + UNSEEN)
    assert unary(StringValue(), timeout=5).value == "backup"
    mesh.sidecar.start()
    logged(caplog, BACK)
    # The calls until then go to the backup; none fails.
    localmesh.wait_until(
        lambda: unary(StringValue(), timeout=5).value == "meshed", what="a call goes through the sidecar"
    )


def test_an_idle_async_stub_notices_too(
    mesh: Mesh, target: Target, fall_back: Callable[[Fallback], None], caplog: pytest.LogCaptureFixture
) -> None:
    fall_back("direct")

    async def call() -> None:
        unary = EchoAsyncStub(target=target).unary
        assert (await unary(StringValue(), timeout=5, wait_for_ready=True)).value == "meshed"
        mesh.sidecar.kill()
        await asyncio.sleep(AFTER + UNSEEN)
        assert (await unary(StringValue(), timeout=5)).value == "backup"
        await asyncio.to_thread(mesh.sidecar.start)
        await asyncio.to_thread(logged, caplog, BACK)
        while (answer := (await unary(StringValue(), timeout=5)).value) == "backup":
            await asyncio.sleep(0.02)
        assert answer == "meshed"

    asyncio.run(call())


def test_a_stream_on_the_backup_stays_there_when_the_sidecar_is_back(
    mesh: Mesh, target: Target, fall_back: Callable[[Fallback], None], caplog: pytest.LogCaptureFixture
) -> None:
    fall_back("direct")
    mesh.sidecar.kill()
    with EchoStub(target=target) as stub:
        localmesh.wait_until(
            lambda: stub.unary.future(StringValue(), timeout=5).exception() is None,
            what="calls go to the backup",
        )
        stream = stub.serverStream(HOLD, timeout=10)
        assert next(stream).value == "backup"
        mesh.sidecar.start()
        logged(caplog, BACK)
        localmesh.wait_until(
            lambda: stub.unary(StringValue(), timeout=5).value == "meshed",
            what="a call goes through the sidecar",
        )
        mesh.backup.release.set()
        assert [each.value for each in stream] == ["backup"]


def test_a_sidecar_that_accepts_connections_without_serving_them_is_as_good_as_none(
    mesh: Mesh, target: Target, fall_back: Callable[[Fallback], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    fall_back("direct")
    # An attempt to connect that is given up counts as well: here none is.
    patient = {**dict(vars(dialing)["_SIDECAR"]), "grpc.min_reconnect_backoff_ms": 3_600_000}
    monkeypatch.setattr(dialing, "_SIDECAR", tuple(patient.items()))
    with socket.create_server(("127.0.0.1", 0)) as hung:
        monkeypatch.setenv("DUBBO_MESH_EGRESS", f"127.0.0.1:{hung.getsockname()[1]}")
        with EchoStub(target=target) as stub:
            localmesh.wait_until(
                lambda: stub.unary.future(StringValue(), timeout=0.1).exception() is None,
                what="a call goes past the sidecar",
            )
    assert set(mesh.backup.ran.values()) == {1}


def test_the_backup_must_be_known_when_the_stub_is_made(
    mesh: Mesh, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUBBO_MESH_FALLBACK", "direct")
    monkeypatch.setenv("DUBBO_MESH_DIRECT", "somebody-else=127.0.0.1:1")
    # Told apart from the mode, which is another variable.
    message = f"DUBBO_MESH_DIRECT has no address for app '{target.app}', and DUBBO_MESH_FALLBACK is direct"
    with pytest.raises(ConfigurationError, match=message):
        EchoStub(target=target)
    monkeypatch.setenv("DUBBO_MESH_FALLBACK", "proxyless")
    with pytest.raises(ConfigurationError, match="DUBBO_MESH_FALLBACK is proxyless"):
        EchoStub(target=target)


def test_an_explicit_address_has_no_backup(
    mesh: Mesh, fall_back: Callable[[Fallback], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    fall_back("direct")
    with (
        localmesh.ReservedPort() as nobody,
        EchoStub(target=nobody.address) as stub,
        pytest.raises(grpc.RpcError) as raised,
    ):
        stub.unary(StringValue(), timeout=5)
    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
