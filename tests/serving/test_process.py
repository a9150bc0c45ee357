"""Signals, and how a process ends, with one server or several. Each test runs a process of its own."""

from __future__ import annotations

import os
import signal
import sys
import textwrap
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

import localmesh
from tests.calling.echo import EchoStub
from tests.serving.conftest import Kind
from tests.serving.rolling import ROOT

PROLOGUE = """
import asyncio, logging, os, signal, sys, threading, time
import dubbo_mesh, dubbo_mesh.aio
from tests.serving.providers import AsyncProvider, Provider

logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
settings = {"probes": "off", "sidecar": "off", "drain": 0.3, "quiet": 0.3, "grace": 5}
address = sys.argv[1]

def say(words):
    print(words, flush=True)

"""


class Program:
    """A process that runs a few lines, and what it prints."""

    def __init__(self, code: str, log: Path) -> None:
        self.port = localmesh.ReservedPort()
        command = [sys.executable, "-c", PROLOGUE + textwrap.dedent(code), self.port.address]
        self.child = localmesh.ChildProcess(command, log=log, cwd=ROOT)
        self.child.start()
        self.channel = grpc.insecure_channel(self.port.address)
        self.stub = EchoStub(self.channel)

    @property
    def log(self) -> str:
        return self.child.log.read_text()

    def wait_said(self, words: str) -> None:
        localmesh.wait_until(lambda: words in self.log, what=f"the process says {words!r}")

    def signal(self, number: signal.Signals = signal.SIGTERM) -> None:
        os.kill(self.child.pid, number)

    def insist(self, words: str) -> None:
        """Sends SIGTERM until the process says so, or has ended."""

        def said() -> bool:
            if words in self.log or not self.child.running:
                return True
            self.signal()
            return False

        localmesh.wait_until(said, what=f"the process says {words!r}", interval=0.1)

    def call_that_runs(self, word: str) -> Any:
        call = self.stub.serverStream(StringValue(value=word), wait_for_ready=True)
        next(call)
        return call

    def close(self) -> None:
        self.channel.close()
        self.child.kill()
        self.port.close()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[[str], Program]]:
    programs: list[Program] = []

    def run(code: str) -> Program:
        programs.append(Program(code, tmp_path / "log"))
        return programs[-1]

    yield run
    for program in programs:
        program.close()


def serve(kind: Kind, more: str = "") -> str:
    """Lines that serve, with `more` settings, until the process is told to end."""
    call = (
        "dubbo_mesh.serve(Provider()"
        if kind == "sync"
        else "asyncio.run(dubbo_mesh.aio.serve(AsyncProvider()"
    )
    close = ")" if kind == "sync" else "))"
    return f"{call}, address=address, **settings | dict({more}){close}\nsay('returned')\n"


def test_signals_that_come_in_a_pair_are_one(run: Callable[[str], Program], kind: Kind) -> None:
    program = run(serve(kind))
    call = program.call_that_runs("stream 10 0.1")
    program.signal()
    program.signal()
    assert len(list(call)) == 9
    assert program.child.wait(10) == 0
    assert "again" not in program.log
    assert "returned" in program.log


def test_draining_and_then_a_signal_is_one_drain(run: Callable[[str], Program], kind: Kind) -> None:
    hook = """
    servers = []
    def pre_stop(number, frame):
        servers[0]._life.drain()  # what drain(wait=False) does, sync and async
    signal.signal(signal.SIGUSR1, pre_stop)
    settings["on_start"] = servers.append
    """
    program = run(textwrap.dedent(hook) + serve(kind))
    call = program.call_that_runs("stream 20 0.1")
    program.signal(signal.SIGUSR1)
    program.wait_said("responses marked")
    program.signal()
    assert len(list(call)) == 19
    assert program.child.wait(10) == 0
    assert "again" not in program.log


def test_a_second_signal_stops_at_once(run: Callable[[str], Program], kind: Kind) -> None:
    program = run(serve(kind, "drain=60, quiet=60, grace=60"))
    call = program.call_that_runs("stream 600 0.1")
    program.insist("SIGTERM again: stopping at once")
    assert program.child.wait(10) == 0
    with pytest.raises(grpc.RpcError):
        list(call)
    assert "returned" in program.log


def test_a_signal_while_starting_ends_in_good_order(run: Callable[[str], Program], kind: Kind) -> None:
    hooks = """
    told = []
    signal.signal(signal.SIGUSR1, lambda *_: told.append("to go on"))
    async def slow(_):
        say("hooked")
        while not told:
            await asyncio.sleep(0.01)
    def slow_sync(_):
        say("hooked")
        while not told:
            time.sleep(0.01)
    """
    program = run(
        textwrap.dedent(hooks) + serve(kind, f"on_start={'slow_sync' if kind == 'sync' else 'slow'}")
    )
    program.wait_said("hooked")
    program.signal()
    program.wait_said("SIGTERM")
    program.signal(signal.SIGUSR1)
    assert program.child.wait(10) == 0
    assert "returned" in program.log
    assert "serving" not in program.log
    assert "Traceback" not in program.log


def test_a_second_signal_ends_a_start_that_hangs(run: Callable[[str], Program], kind: Kind) -> None:
    program = run(
        "async def slow(_):\n    say('hooked'); await asyncio.sleep(60)\n"
        "def slow_sync(_):\n    say('hooked'); time.sleep(60)\n"
        + serve(kind, f"grace=60, on_start={'slow_sync' if kind == 'sync' else 'slow'}")
    )
    program.wait_said("hooked")
    program.insist("again")
    assert program.child.wait(10) == 128 + signal.SIGTERM
    assert "Traceback" not in program.log


def test_one_signal_drains_all_servers(run: Callable[[str], Program], kind: Kind) -> None:
    if kind == "sync":
        code = """
        other = dubbo_mesh.Server(Provider(), address="127.0.0.1:0", **settings)
        other.start()
        dubbo_mesh.serve(Provider(), address=address, **settings)
        other.wait(10)
        say("both returned")
        """
    else:
        code = """
        async def main():
            await asyncio.gather(
                dubbo_mesh.aio.serve(AsyncProvider(), address=address, **settings),
                dubbo_mesh.aio.serve(AsyncProvider(), address="127.0.0.1:0", **settings),
            )
        asyncio.run(main())
        say("both returned")
        """
    program = run(code)
    localmesh.wait_until(lambda: program.log.count("serving test.Echo") == 2, what="both serve")
    program.signal()
    assert program.child.wait(10) == 0
    assert "both returned" in program.log
    assert program.log.count("all calls have ended") == 2


def has_more(program: Program, words: str, than: int) -> bool:
    return program.log.count(words) > than


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_loops_own_signal_handlers_stay(run: Callable[[str], Program], loop: str) -> None:
    pytest.importorskip(loop)
    program = run(f"""
    import {loop}

    async def main():
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, say, "hup heard")
        loop.add_signal_handler(signal.SIGTERM, say, "own handler")
        for round in ("first", "second"):
            await dubbo_mesh.aio.serve(AsyncProvider(), address=address, **settings)
            say(round + " served")
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0)
        while True:
            await asyncio.sleep(0.01)

    asyncio.Runner(loop_factory={loop}.new_event_loop).run(main())
    """)
    for served in ("first served", "second served"):
        program.stub.unary(StringValue(), wait_for_ready=True, timeout=10)
        heard = program.log.count("hup heard")
        program.signal(signal.SIGHUP)
        localmesh.wait_until(
            partial(has_more, program, "hup heard", heard), what="the loop hears SIGHUP while we serve"
        )
        assert "own handler" not in program.log
        program.signal()
        program.wait_said(served)
    program.wait_said("own handler")


def test_a_blocked_event_loop_does_not_keep_the_process(run: Callable[[str], Program]) -> None:
    program = run("""
    class Blocking(AsyncProvider):
        async def unary(self, request, context):
            say("blocking")
            time.sleep(60)

    settings["grace"] = 0.5
    asyncio.run(dubbo_mesh.aio.serve(Blocking(), address=address, **settings))
    """)
    call: Any = program.stub.unary.future(StringValue(), wait_for_ready=True)
    program.wait_said("blocking")
    program.signal()
    assert program.child.wait(20) == 128 + signal.SIGTERM
    assert "the main thread is still busy" in program.log
    assert call.exception(10) is not None


def test_a_loop_that_ends_does_not_wait_for_grace_in_vain(run: Callable[[str], Program]) -> None:
    program = run("""
    settings["grace"] = 60
    servers = []

    async def main():
        serving = asyncio.ensure_future(
            dubbo_mesh.aio.serve(AsyncProvider(), address=address, on_start=servers.append, **settings)
        )
        while not (servers and servers[0].is_serving()):
            await asyncio.sleep(0.01)

    asyncio.run(main())
    say("returned")
    """)
    assert program.child.wait(20) == 0
    assert "returned" in program.log


def test_a_process_without_servers_keeps_its_handlers(run: Callable[[str], Program], kind: Kind) -> None:
    program = run(
        "signal.signal(signal.SIGTERM, lambda *_: say('own handler'))\n"
        "before = signal.getsignal(signal.SIGINT)\n"
        + serve(kind)
        + "assert signal.getsignal(signal.SIGINT) is before\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"
    )
    program.wait_said("serving test.Echo")
    program.signal(signal.SIGINT)
    assert program.child.wait(10) == 0
    assert program.log.splitlines()[-2:] == ["returned", "own handler"]


def test_the_address_can_be_given_in_the_environment(kind: Kind, run: Callable[[str], Program]) -> None:
    program = run("os.environ['DUBBO_MESH_LISTEN'] = address\naddress = None\n" + serve(kind))
    assert program.stub.unary(StringValue(value="here"), wait_for_ready=True).value == "here"
    assert f"serving test.Echo on {program.port.address}" in program.log
    program.signal()
    assert program.child.wait(10) == 0
