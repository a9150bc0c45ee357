"""Stubs with a fallback share one watch of their sidecar."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from types import FrameType
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.wrappers_pb2 import StringValue

import localmesh
from dubbo_mesh import Target
from dubbo_mesh._calling import aio_watch, watch
from tests.addressing.conftest import Mesh
from tests.addressing.providers import Provider, serving
from tests.calling.echo import EchoAsyncStub, EchoStub

MANY = 300


@pytest.fixture
def backup(egress: Mesh, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    with serving(Provider("backup")) as backup:
        monkeypatch.setenv("DUBBO_MESH_FALLBACK", "direct")
        monkeypatch.setenv("DUBBO_MESH_FALLBACK_AFTER", "0.1")
        monkeypatch.setenv("DUBBO_MESH_DIRECT", f"echo={backup.address},other={backup.address}")
        yield backup


def watching() -> int:
    """How many threads of grpc's watch a channel."""
    return sum(any(_runs(frame)) for frame in sys._current_frames().values())  # pyright: ignore[reportPrivateUsage]  # documented


def _runs(frame: FrameType | None) -> Iterator[bool]:
    while frame is not None:
        yield frame.f_code.co_name == "_poll_connectivity"
        frame = frame.f_back


def wait_for_backup(stub: EchoStub) -> None:
    localmesh.wait_until(
        lambda: stub.unary.future(StringValue(), timeout=5).exception() is None,
        what="a call takes the backup",
    )


def close(stubs: list[EchoStub]) -> None:
    for stub in stubs:
        with stub:
            pass


def no_watches() -> bool:
    return not vars(watch)["_watches"] and not any(map(bool, vars(aio_watch)["_watches"].values()))


def test_many_stubs_take_one_thread(egress: Mesh, backup: Provider) -> None:
    localmesh.wait_until(lambda: watching() == 0, what="no channel is watched")
    before = threading.active_count()
    stubs = [EchoStub() for _ in range(MANY)]
    stubs += [EchoStub(target=Target("other", port=50051)) for _ in range(MANY)]
    try:
        assert watching() == 1
        # For a moment there is another one, which tells of a change of state.
        localmesh.wait_until(lambda: threading.active_count() <= before + 1, what="one thread more")
        egress.sidecar.kill()
        for index in (0, MANY - 1, -1):
            wait_for_backup(stubs[index])
        assert watching() == 1
    finally:
        close(stubs[: len(stubs) // 2])
        stubs.clear()
        gc.collect()
    assert no_watches()
    closing = "dubbo-mesh-closing"
    assert [thread.name for thread in threading.enumerate()].count(closing) <= 1  # or it is done already
    localmesh.wait_until(
        lambda: not watching() and closing not in {thread.name for thread in threading.enumerate()},
        what="no thread is left",
    )


def test_the_log_tells_once_of_what_all_stubs_do(
    egress: Mesh, backup: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    stubs = [EchoStub() for _ in range(3)]
    egress.sidecar.kill()
    for stub in stubs:
        wait_for_backup(stub)
    assert Counter(record.levelname for record in caplog.records) == {"WARNING": 1}
    close(stubs)
    assert no_watches()


def test_many_async_stubs_take_one_timer(egress: Mesh, backup: Provider) -> None:
    async def run() -> None:
        loop: Any = asyncio.get_running_loop()
        stubs = [EchoAsyncStub() for _ in range(MANY)]
        looks = [timer for timer in loop._scheduled if "_Watch._look" in repr(timer)]
        assert len(looks) == 1
        egress.sidecar.kill()
        for stub in (stubs[0], stubs[-1]):
            while await stub.unary(StringValue(), timeout=5).code() is not grpc.StatusCode.OK:
                await asyncio.sleep(0.02)
        for stub in stubs[: MANY // 2]:
            async with stub:
                pass
        del stubs[:], stub
        gc.collect()
        assert no_watches()

    asyncio.run(run(), debug=False)


def test_a_new_stub_knows_at_once_that_the_sidecar_is_away(egress: Mesh, backup: Provider) -> None:
    with EchoStub() as first:
        egress.sidecar.kill()
        wait_for_backup(first)
        with EchoStub() as second:
            assert second.unary(StringValue(), timeout=5).value == "backup"


@pytest.mark.parametrize("connections", [1, 3])
def test_no_call_fails_when_the_sidecar_is_back(egress: Mesh, backup: Provider, connections: int) -> None:
    """Each channel reconnects in its own time: until all have, the backup is taken."""
    with EchoStub(connections=connections) as stub:
        stub.unary(StringValue(), timeout=5)
        egress.sidecar.kill()
        wait_for_backup(stub)
        egress.sidecar.start()
        answers: list[str] = []

        def through_the_sidecar() -> bool:
            answers.append(stub.unary(StringValue(), timeout=5).value)
            return answers[-3:] == ["provider"] * 3

        localmesh.wait_until(through_the_sidecar, what="calls go through the sidecar")
        assert "backup" in answers


KINDS = {
    "unary": "UnaryUnaryMultiCallable",
    "serverStream": "UnaryStreamMultiCallable",
    "clientStream": "StreamUnaryMultiCallable",
    "bidi": "StreamStreamMultiCallable",
}
OPENERS = {
    "unary_unary": "UnaryUnaryMultiCallable",
    "unary_stream": "UnaryStreamMultiCallable",
    "stream_unary": "StreamUnaryMultiCallable",
    "stream_stream": "StreamStreamMultiCallable",
}


@pytest.mark.parametrize("connections", [1, 2])
def test_callables_are_grpcs(backup: Provider, connections: int) -> None:
    import dubbo_mesh
    import dubbo_mesh.aio

    target = Target("echo", port=50051)
    with dubbo_mesh.channel(target, connections=connections) as channel:
        for opener, kind in OPENERS.items():
            assert isinstance(getattr(channel, opener)("/a/b"), getattr(grpc, kind))
        stub = EchoStub(channel)
        assert all(isinstance(getattr(stub, rpc), getattr(grpc, kind)) for rpc, kind in KINDS.items())

    async def run() -> None:
        async with dubbo_mesh.aio.channel(target, connections=connections) as channel:
            for opener, kind in OPENERS.items():
                assert isinstance(getattr(channel, opener)("/a/b"), getattr(grpc.aio, kind))

    asyncio.run(run())
