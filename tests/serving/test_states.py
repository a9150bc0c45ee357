"""What can happen to a server, in every state of its life; and that no end leaves anything behind."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
import localmesh
from dubbo_mesh._serving.process import process
from dubbo_mesh._serving.states import TRANSITIONS, Event, State, next_state
from tests.calling.echo import EchoStub
from tests.serving.conftest import Health, Kind, Running
from tests.serving.fake_admin import FakeAdmin
from tests.serving.providers import Provider

Serve = Callable[..., Running]

LONG = 30.0  # seconds, of what a test does not want to end by itself


class Life:
    """One server that a test takes through its life, with everything that it could leave behind."""

    def __init__(self, make: Serve, kind: Kind, directory: Path) -> None:
        self.threads_before = set(threading.enumerate())
        self.admin = FakeAdmin()
        self.path = directory / "server.sock"
        self.port, self.probes = localmesh.ReservedPort(), localmesh.ReservedPort()
        self.hook_may_end, self.hook_runs = threading.Event(), threading.Event()
        self.hook_fails = False
        self.threads: list[threading.Thread] = []
        self.errors: list[BaseException] = []
        self.running = make(
            address=[self.port.address, f"unix:{self.path}"],
            probes=self.probes.address,
            sidecar=self.admin.address,
            on_start=self._hook if kind == "sync" else self._async_hook,
            drain=LONG,
            quiet=LONG,
            grace=LONG,
        )
        self.channel = grpc.insecure_channel(self.port.address)

    def _hook(self, _: object) -> None:
        self.hook_runs.set()
        self.hook_may_end.wait(LONG)
        if self.hook_fails:
            raise LookupError("no schema")

    async def _async_hook(self, _: object) -> None:
        self.hook_runs.set()
        while not self.hook_may_end.is_set():
            await asyncio.sleep(0.005)
        if self.hook_fails:
            raise LookupError("no schema")

    @property
    def state(self) -> State:
        state: State = self.running.server._life.state
        return state

    def in_background(self, method: str, *arguments: Any) -> None:
        def call() -> None:
            try:
                self.running.call(method, *arguments)
            except BaseException as error:  # noqa: BLE001 - the test looks at it
                self.errors.append(error)

        thread = threading.Thread(target=call)
        thread.start()
        self.threads.append(thread)

    def wait_state(self, *states: State) -> None:
        localmesh.wait_until(lambda: self.state in states, what=f"the server is {states}")

    def bring_to(self, state: State) -> None:
        if state is State.NEW:
            return
        self.in_background("start")
        assert self.hook_runs.wait(LONG)
        if state is State.STARTING:
            return
        self.hook_may_end.set()
        self.wait_state(State.SERVING)
        if state is State.DRAINING:
            self.in_background("drain")
        elif state is State.STOPPING:
            self.call_that_runs()
            self.in_background("stop", LONG)
        elif state is State.STOPPED:
            self.running.call("stop", None)
        self.wait_state(state)

    def call_that_runs(self) -> None:
        stub: Any = self.channel.unary_stream(
            "/test.Echo/serverStream", StringValue.SerializeToString, StringValue.FromString
        )
        self.stream = stub(StringValue(value=f"stream {int(LONG * 10)} 0.1"))
        next(self.stream)

    def has_let_go(self) -> None:
        """Waits until the server has stopped, and shows that it has left nothing behind."""
        self.hook_may_end.set()
        self.running.call("stop", None)
        assert self.running.call("wait", LONG)
        assert self.state is State.STOPPED
        for thread in self.threads:
            thread.join(LONG)
        for port in (self.port, self.probes):
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port.number), 1)
        assert not self.path.exists()
        localmesh.wait_until(lambda: not self.own_threads(), what=f"these end: {self.own_threads()}")

    def own_threads(self) -> list[str]:
        # The pool of the health service lives as long as the server object, which the test still has.
        names = [thread.name for thread in set(threading.enumerate()) - self.threads_before]
        return [
            name
            for name in names
            if name.startswith("dubbo-mesh") and not name.startswith("dubbo-mesh-health")
        ]

    def close(self) -> None:
        self.channel.close()
        self.admin.close()
        self.port.close()
        self.probes.close()


@pytest.fixture
def life(make: Serve, kind: Kind, tmp_path: Path) -> Iterator[Life]:
    life = Life(make, kind, tmp_path)
    yield life
    life.close()


EVENTS: dict[str, tuple[Event, Callable[[Life], None]]] = {
    "drain": (Event.DRAIN, lambda life: life.in_background("drain")),
    "stop at once": (Event.STOP, lambda life: life.in_background("stop", None)),
    "stop with grace": (Event.STOP, lambda life: life.in_background("stop", LONG)),
    "a signal": (Event.DRAIN, lambda life: process.drain()),
    "a second signal": (Event.STOP, lambda life: process.stop()),
}
SIGNALS = ("a signal", "a second signal")


@pytest.mark.parametrize("state", State, ids=lambda state: state.name)
@pytest.mark.parametrize("name", EVENTS)
def test_every_event_in_every_state(life: Life, state: State, name: str) -> None:
    event, happen = EVENTS[name]
    life.bring_to(state)
    happen(life)
    if name in SIGNALS and state is State.NEW:  # a signal reaches the servers that have started
        assert life.state is State.NEW
    else:
        expected = next_state(state, event)
        # Without calls to wait for, stopping goes on to stopped by itself.
        life.wait_state(expected, State.STOPPED) if expected is State.STOPPING else life.wait_state(expected)
    life.has_let_go()
    assert not life.errors


@pytest.mark.parametrize(
    "state", [each for each in State if each is not State.NEW], ids=lambda state: state.name
)
def test_it_is_started_once(life: Life, state: State) -> None:
    life.bring_to(state)
    with pytest.raises(RuntimeError, match="a server is started once"):
        life.running.call("start")
    assert life.state is state
    life.has_let_go()


def test_a_start_that_fails_ends_in_stopped(life: Life) -> None:
    life.hook_fails = True
    life.hook_may_end.set()
    with pytest.raises(LookupError, match="no schema"):
        life.running.call("start")
    assert life.state is State.STOPPED
    life.has_let_go()


def test_a_start_that_is_overtaken_returns_when_the_server_has_stopped(life: Life) -> None:
    life.bring_to(State.STARTING)
    life.in_background("stop", 0.0)
    life.wait_state(State.STOPPED)
    life.hook_may_end.set()
    for thread in life.threads:
        thread.join(LONG)
        assert not thread.is_alive()
    assert not life.errors
    assert "/healthcheck/ok" not in life.admin.told()
    life.has_let_go()


def test_calls_wait_until_the_server_serves(life: Life) -> None:
    life.bring_to(State.STARTING)
    stub = EchoStub(life.channel)
    waiting: Any = [stub.unary.future(StringValue(value="early"), timeout=LONG) for _ in range(40)]
    assert health_of(life.channel) == "NOT_SERVING"  # which is answered, so the calls have come, too
    assert not any(call.done() for call in waiting)
    life.hook_may_end.set()
    assert {call.result().value for call in waiting} == {"early"}
    life.has_let_go()


def test_calls_that_wait_for_a_start_that_fails_are_refused(life: Life) -> None:
    life.bring_to(State.STARTING)
    waiting: Any = EchoStub(life.channel).unary.future(StringValue(value="early"), timeout=LONG)
    assert health_of(life.channel) == "NOT_SERVING"
    life.hook_fails = True
    life.hook_may_end.set()
    error: Any = waiting.exception()
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    life.has_let_go()


def health_of(channel: grpc.Channel) -> str:
    return Health(channel).check()


@pytest.mark.parametrize("state", State, ids=lambda state: state.name)
def test_a_sidecar_that_is_gone_keeps_nobody(life: Life, state: State) -> None:
    life.bring_to(state)
    life.admin.close()
    life.in_background("drain")
    life.has_let_go()


@pytest.mark.parametrize("hooks", ["on_start", "on_drain"])
@pytest.mark.parametrize("error", [LookupError, GeneratorExit])
def test_a_hook_may_raise_anything(make: Serve, hooks: str, error: type[BaseException]) -> None:
    def fail(_: object) -> None:
        raise error("as asked")

    running = make(**{hooks: fail, "drain": 0.1, "quiet": 0.1})
    if hooks == "on_start":
        with pytest.raises(error, match="as asked"):
            running.start()
    else:
        running.start().drain()
    assert running.server._life.state is State.STOPPED


def test_without_threads_a_start_fails_and_leaves_nothing(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_thread(thread: threading.Thread) -> None:
        if thread.name.startswith("dubbo-mesh"):
            raise RuntimeError("can't start new thread")
        start(thread)

    start = threading.Thread.start
    life.hook_may_end.set()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            life.running.call("start")
    life.has_let_go()


def do_nothing(_: object) -> None:
    """A hook."""


def test_without_threads_a_running_server_goes_down_all_the_same(
    make: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    running = make(drain=0.1, quiet=0.1, grace=1, on_drain=do_nothing).start()
    port = running.port
    life = running.server._life
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        life.drain()
        assert life.stopped.wait(LONG)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 1)


def test_the_table_has_no_dead_end() -> None:
    reached = {State.NEW}
    for _ in State:
        reached |= {after for (before, _event), after in TRANSITIONS.items() if before in reached}
    assert reached == set(State)
    for state in set(State) - {State.STOPPED}:
        assert next_state(state, Event.STOP) is State.STOPPING


def test_ports_that_only_a_server_never_started_has_are_free_again(make: Serve) -> None:
    with localmesh.ReservedPort() as port:
        running = make(address=None)
        running.call("add_insecure_port", port.address)
        running.call("stop", None)
        assert running.call("wait", 5)
        make(address=port.address).start()


def test_two_servers_share_sidecar_probes_and_signals(make: Serve) -> None:
    with FakeAdmin() as admin, localmesh.ReservedPort() as probes:
        settings = {"sidecar": admin.address, "probes": probes.address, "drain": 0.1, "quiet": 0.1}
        first, second = make(**settings), make(**settings)
        first.start()
        assert first.probe("/ready") == (200, "true")
        second.start()
        localmesh.wait_until(admin.told, what="the sidecar is told")
        assert first.server.probes_port == second.server.probes_port == probes.number
        second.call("set_serving", "", False)
        assert first.probe("/ready") == (503, "false")  # ready when all are
        second.call("set_serving", "", True)
        first.drain()
        assert second.probe("/ready") == (200, "true")  # the first has left
        assert admin.told() == ["/healthcheck/ok"]  # one still serves
        second.drain()
        assert admin.told()[1:2] == ["/healthcheck/fail"]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", probes.number), 1)
        third, fourth = make(**settings).start(), make(**settings).start()
        process.drain()
        assert third.call("wait", 5)
        assert fourth.call("wait", 5)


def test_a_shared_sidecar_exits_after_the_last_server(make: Serve) -> None:
    with FakeAdmin() as admin:
        settings = {"sidecar": admin.address, "drain": 0.1, "quiet": 0.1}
        first, second = make(sidecar_exit=True, **settings).start(), make(**settings).start()
        localmesh.wait_until(admin.told, what="the sidecar is told")
        first.drain()
        assert admin.told() == ["/healthcheck/ok"]
        second.drain()
        told = admin.told()
        assert (told[1], told[-1]) == ("/healthcheck/fail", "/quitquitquit")


def test_a_grace_that_is_given_wins_over_the_setting(make: Serve) -> None:
    running = make(grace=0.2).start()
    call: Any = running.stub().serverStream(StringValue(value="stream 10 0.1"))
    next(call)
    running.call("stop", LONG)
    assert len(list(call)) == 9  # a second, which the setting would not have given


def life_of(server: Any) -> Any:
    return server._life


def test_a_server_that_nobody_has_any_more_stops(kind: Kind) -> None:
    settings: Any = {"address": "127.0.0.1:0", "probes": "off", "sidecar": "off"}

    def stopped(life: Any) -> bool:
        gc.collect()
        return bool(life.stopped.wait(5))

    if kind == "sync":
        server = dubbo_mesh.Server(Provider(), **settings)
        server.start()
        life = life_of(server)
        del server
        assert stopped(life)
        return

    async def main() -> None:
        server = dubbo_mesh.aio.Server(Provider(), **settings)
        await server.start()
        life = life_of(server)
        del server
        assert await asyncio.to_thread(stopped, life)

    asyncio.run(main())
