"""What SIGTERM and SIGINT do to a process that serves."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
import dubbo_mesh.aio
import localmesh
from tests.calling.echo import EchoStub
from tests.serving.conftest import Kind, accepts
from tests.serving.providers import AsyncProvider, Provider
from tests.serving.rolling import ROOT

HANGING = 30
"""Seconds after which a process that is to end counts as hanging: what it must not wait for takes an hour."""

START = """
import asyncio, json, logging, sys
import dubbo_mesh, dubbo_mesh.aio
from tests.serving.providers import AsyncProvider, Provider

logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
settings = {"probes": "off", "sidecar": "off", **json.loads(sys.argv[2])}

def hook(server):
    print("hooked", flush=True)

if sys.argv[1] == "sync":
    dubbo_mesh.serve(Provider(), on_start=hook, **settings)
else:
    asyncio.run(dubbo_mesh.aio.serve(AsyncProvider(), on_start=hook, **settings))
print("returned", flush=True)
"""


class Process:
    """A process that serves."""

    def __init__(self, kind: Kind, log: Path, **settings: Any) -> None:
        self.port = localmesh.ReservedPort()
        settings = {"address": self.port.address, "drain": 0.3, "quiet": 0.3, "grace": 5, **settings}
        command = [sys.executable, "-c", START, kind, json.dumps(settings)]
        self.child = localmesh.ChildProcess(command, log=log, cwd=ROOT)
        self.child.start()
        self.channel = grpc.insecure_channel(self.port.address)
        self.stub = EchoStub(self.channel)

    def said(self, words: str) -> bool:
        return words in self.child.log.read_text()

    def wait_said(self, words: str) -> None:
        localmesh.wait_until(lambda: self.said(words), what=f"the process says {words!r}")

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.child.pid, number)

    def close(self) -> None:
        self.channel.close()
        self.child.kill()
        self.port.close()


@pytest.fixture
def process(kind: Kind, tmp_path: Path) -> Iterator[Callable[..., Process]]:
    processes: list[Process] = []

    def start(**settings: Any) -> Process:
        processes.append(Process(kind, tmp_path / "log", **settings))
        return processes[-1]

    yield start
    for each in processes:
        each.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_and_the_process_ends_well(
    process: Callable[..., Process], number: signal.Signals
) -> None:
    server = process()
    server.wait_said("serving test.Echo")
    call: Any = server.stub.unary.future(StringValue(value="hold 0.6"), wait_for_ready=True)
    server.wait_said("holding")
    server.signal(number)
    assert server.child.wait(HANGING) == 0
    assert call.result(5).value == "hold 0.6"
    assert server.said("all calls have ended")
    assert server.said("returned")


def test_a_handler_that_hangs_does_not_keep_the_process(process: Callable[..., Process], kind: Kind) -> None:
    server = process(grace=0.5)
    server.wait_said("serving test.Echo")
    call: Any = server.stub.unary.future(StringValue(value="hold 3600"), wait_for_ready=True)
    server.wait_said("holding")
    server.signal(signal.SIGTERM)
    assert server.child.wait(HANGING) == 0
    assert call.code() is not None  # kept so far: a call that nobody has any more is cancelled


def test_a_signal_ends_waiting_for_the_sidecar(process: Callable[..., Process]) -> None:
    with localmesh.ReservedPort() as nobody:
        server = process(sidecar=nobody.address, sidecar_timeout=3600)
        localmesh.wait_until(lambda: accepts(server.port.number), what="the server listens")
        time.sleep(0.2)
        server.signal(signal.SIGTERM)
        assert server.child.wait(HANGING) == 0
    assert not server.said("serving test.Echo")
    assert not server.said("hooked")


def serve_here(kind: Kind, servers: list[Any]) -> None:
    """Serves in this process until told to end; the server is in `servers` once it starts."""
    settings: Any = {
        "address": "127.0.0.1:0",
        "probes": "off",
        "sidecar": "off",
        "drain": 0,
        "on_start": servers.append,
    }
    if kind == "sync":
        dubbo_mesh.serve(Provider(), **settings)
    else:
        asyncio.run(dubbo_mesh.aio.serve(AsyncProvider(), **settings))


def wait_serving(servers: list[Any]) -> None:
    localmesh.wait_until(lambda: servers and servers[0].is_serving(""), what="it serves")


def test_signals_are_handled_as_before_afterwards(kind: Kind) -> None:
    def own(number: int, frame: object) -> None:
        raise AssertionError("the test's own handler was called")

    before = {number: signal.signal(number, own) for number in (signal.SIGTERM, signal.SIGINT)}
    servers: list[Any] = []

    def interrupt() -> None:
        wait_serving(servers)
        signal.raise_signal(signal.SIGTERM)

    try:
        thread = threading.Thread(target=interrupt)
        thread.start()
        serve_here(kind, servers)
        thread.join()
        assert signal.getsignal(signal.SIGTERM) is signal.getsignal(signal.SIGINT) is own
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_off_the_main_thread_it_serves_without_signals(kind: Kind) -> None:
    servers: list[Any] = []
    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=serve_here, args=(kind, servers))
    thread.start()
    wait_serving(servers)
    assert signal.getsignal(signal.SIGTERM) is before
    servers[0]._life.drain()
    thread.join(5)
    assert not thread.is_alive()


def test_cancelling_an_async_server_drains_it() -> None:
    async def main() -> None:
        servers: list[Any] = []
        settings: Any = {"address": "127.0.0.1:0", "probes": "off", "sidecar": "off", "drain": 0}
        task = asyncio.ensure_future(
            dubbo_mesh.aio.serve(AsyncProvider(), on_start=servers.append, **settings)
        )
        while not (servers and servers[0].is_serving("")):
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await servers[0].wait(0)

    asyncio.run(main())


def test_importing_the_package_loads_nothing_of_this() -> None:
    code = """
import sys, dubbo_mesh, dubbo_mesh.aio
private = ("dubbo_mesh._serving.server", "dubbo_mesh._health")
heavy = ("grpc", "google.protobuf", "asyncio", "http", *private)
print([name for name in sys.modules if name.startswith(heavy)])
"""
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert said.stdout.strip() == "[]"
