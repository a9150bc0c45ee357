"""What the health service of a server health."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import grpc
import grpc.aio
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

import dubbo_mesh
from dubbo_mesh._health.registration import board_of
from tests.calling.echo import add_EchoServicer_to_server
from tests.serving.conftest import Health, Kind, LoopThread, Running
from tests.serving.providers import AsyncProvider, Provider

Serve = Callable[..., Running]


def keyed(version: str | None, group: str | None) -> dubbo_mesh.Service:
    method = dubbo_mesh.Method("/test.Keyed/unary", StringValue, StringValue)
    return dubbo_mesh.Service("test.Keyed", method, app="keyed", version=version, group=group)


KEYED = keyed("2.0", "blue")
KEYLESS = keyed(None, None)


class Keyed(dubbo_mesh.Servicer):
    __mesh__ = KEYED

    def unary(self, request: StringValue, context: grpc.ServicerContext) -> StringValue:
        return request


class KeyedFirst(Keyed):
    __mesh__ = keyed("1.0", None)


class KeyedSecond(Keyed):
    __mesh__ = keyed("2.0", None)


def test_it_reports_the_server_each_service_and_its_dubbo_key(serve: Serve) -> None:
    health = serve(Provider(), Keyed()).health()
    for name in ("", "test.Echo", "test.Keyed", "blue/test.Keyed:2.0"):
        assert health.check(name) == "SERVING"
        assert next(health.watch(name)) == "SERVING"
    assert set(health.list()) == {"", "test.Echo", "test.Keyed", "blue/test.Keyed:2.0"}


@pytest.mark.parametrize("name", ["test.Nobody", "test.Keyed:1.0", "x" * 5000, "Ünbekannt", "\n"])
def test_an_unknown_service_is_not_found_and_watched_until_it_is_known(serve: Serve, name: str) -> None:
    health = serve().health()
    with pytest.raises(grpc.RpcError) as raised:
        health.check(name)
    assert raised.value.code() is grpc.StatusCode.NOT_FOUND
    assert "no service" in (raised.value.details() or "")
    assert next(health.watch(name)) == "SERVICE_UNKNOWN"


def test_liveness_is_serving_as_long_as_the_process_can_answer(make: Serve, kind: Kind) -> None:
    """As Kubernetes' `grpc` liveness probes are to hear it, while readiness comes and goes."""
    seen: list[str] = []

    def look(server: Any) -> None:
        with grpc.insecure_channel(f"127.0.0.1:{server.ports[0]}") as channel:
            seen.extend(Health(channel).check(name) for name in ("", "liveness"))

    async def look_from_elsewhere(server: Any) -> None:
        await asyncio.to_thread(look, server)

    hook = look if kind == "sync" else look_from_elsewhere
    running = make(on_start=hook, on_drain=hook, drain=30, quiet=0.3).start()
    running.call("set_serving", "", False)
    assert running.health().check("liveness") == "SERVING"
    watch = running.health().watch("liveness")
    assert next(watch) == "SERVING"
    running.drain()
    assert list(watch) == []
    assert seen == ["NOT_SERVING", "SERVING"] * 2
    assert running.server.is_serving("liveness") is True


def test_liveness_is_no_service(make: Serve) -> None:
    running = make()
    with pytest.raises(KeyError, match="liveness"):
        running.call("set_serving", "liveness", False)
    check = dubbo_mesh.HealthCheck(lambda: True, service="liveness")
    with pytest.raises(dubbo_mesh.ConfigurationError, match="no service 'liveness'"):
        make(health_checks=[check]).start()
    assert "liveness" not in running.start().health().list()


def test_nothing_serves_until_the_start_up_hook_is_done(make: Serve, kind: Kind) -> None:
    seen: list[str] = []

    def look(server: Any) -> None:
        with grpc.insecure_channel(f"127.0.0.1:{server.ports[0]}") as channel:
            seen.extend(Health(channel).check(name) for name in ("", "test.Echo"))

    async def look_from_elsewhere(server: Any) -> None:
        await asyncio.to_thread(look, server)

    running = make(on_start=look if kind == "sync" else look_from_elsewhere).start()
    assert seen == ["NOT_SERVING", "NOT_SERVING"]
    assert running.health().check() == "SERVING"


def test_a_service_can_be_taken_out_while_others_serve(serve: Serve) -> None:
    running = serve(Provider(), Keyed())
    health = running.health()
    watch = health.watch("blue/test.Keyed:2.0")
    assert next(watch) == "SERVING"
    running.call("set_serving", Keyed, False)
    assert next(watch) == "NOT_SERVING"
    assert [health.check(name) for name in ("test.Keyed", "test.Echo", "")] == [
        "NOT_SERVING",
        "SERVING",
        "SERVING",
    ]
    assert running.server.is_serving("test.Keyed") is False
    running.call("set_serving", "blue/test.Keyed:2.0", True)
    assert next(watch) == "SERVING"
    assert health.check("test.Keyed") == "SERVING"


def test_taking_the_whole_server_out_takes_its_services_out(serve: Serve) -> None:
    running = serve()
    running.call("set_serving", "", False)
    assert {running.health().check(name) for name in ("", "test.Echo")} == {"NOT_SERVING"}
    running.call("set_serving", "", True)
    assert {running.health().check(name) for name in ("", "test.Echo")} == {"SERVING"}


class TestVersions:
    """Several versions and groups of one service on one server."""

    NAMES = ("test.Keyed", "test.Keyed:1.0", "test.Keyed:2.0", "blue/test.Keyed:2.0")

    def statuses(self, running: Running) -> list[bool]:
        health = running.health()
        listed = health.list()
        statuses = [health.check(name) for name in self.NAMES]
        assert statuses == [next(health.watch(name)) for name in self.NAMES]
        assert statuses == [listed[name] for name in self.NAMES]
        assert statuses == [
            "SERVING" if running.server.is_serving(name) else "NOT_SERVING" for name in self.NAMES
        ]
        assert (health.check(""), health.check("test.Echo")) == ("SERVING", "SERVING")
        return [status == "SERVING" for status in statuses]

    @pytest.fixture
    def running(self, serve: Serve, kind: Kind) -> Running:
        provider = Provider() if kind == "sync" else AsyncProvider()
        return serve(provider, KeyedFirst(), KeyedSecond(), Keyed())

    def test_each_has_a_status_of_its_own(self, running: Running) -> None:
        watch = running.health().watch("test.Keyed:1.0")
        assert next(watch) == "SERVING"
        running.call("set_serving", "test.Keyed:2.0", False)
        assert self.statuses(running) == [True, True, False, True]
        running.call("set_serving", KeyedFirst, False)
        assert next(watch) == "NOT_SERVING"
        assert self.statuses(running) == [True, False, False, True]
        running.call("set_serving", KEYED, False)
        assert self.statuses(running) == [False, False, False, False]
        running.call("set_serving", KeyedSecond, True)
        assert self.statuses(running) == [True, False, True, False]

    def test_the_full_name_means_all_of_them(self, running: Running) -> None:
        running.call("set_serving", "test.Keyed", False)
        assert self.statuses(running) == [False, False, False, False]
        running.call("set_serving", "test.Keyed:1.0", True)
        assert self.statuses(running) == [True, True, False, False]
        running.call("set_serving", "test.Keyed", True)
        assert self.statuses(running) == [True, True, True, True]

    def test_a_health_check_is_about_one_or_all_of_them(self, running: Running) -> None:
        board = board_of(running.server)
        board.note("one", "test.Keyed:2.0", passed=False)
        assert self.statuses(running) == [True, True, False, True]
        board.note("all", "test.Keyed", passed=False)
        assert self.statuses(running) == [False, False, False, False]
        board.note("all", "test.Keyed", passed=True)
        assert self.statuses(running) == [True, True, False, True]

    def test_one_without_version_has_the_full_name_for_its_key(self, running: Running) -> None:
        board_of(running.server).add(KEYLESS)
        running.call("set_serving", KEYLESS, False)
        assert running.server.is_serving(KEYLESS) is False
        assert self.statuses(running) == [True, True, True, True]
        for name in self.NAMES[1:]:
            running.call("set_serving", name, False)
        assert running.health().check("test.Keyed") == "NOT_SERVING"
        running.call("set_serving", KEYLESS, True)
        assert self.statuses(running) == [True, False, False, False]


def test_what_is_not_there_cannot_be_taken_out(serve: Serve) -> None:
    running = serve()
    with pytest.raises(KeyError, match=r"test\.Nobody"):
        running.call("set_serving", "test.Nobody", False)
    with pytest.raises(TypeError, match="neither a service's name"):
        running.call("set_serving", 7, False)
    assert running.server.is_serving("test.Nobody") is None


def test_watchers_hear_of_draining_and_do_not_hold_up_the_stop(serve: Serve) -> None:
    running = serve(drain=0.2, grace=10)
    watch = running.health().watch("test.Echo")
    assert next(watch) == "SERVING"
    draining = running.drain_in_background()
    assert list(watch) == ["NOT_SERVING"]  # and then the stream ends, well
    draining.join(5)
    assert not draining.is_alive()


# Servers that users make and start themselves, with nothing but the generated function.


@pytest.fixture
def plain(kind: Kind, loop: LoopThread) -> Iterator[Callable[..., Health]]:
    """Starts a plain server with the steps given, and returns its health service."""
    stops: list[Callable[[], object]] = []

    def start(*steps: Callable[[Any], object]) -> Health:
        server: Any
        if kind == "sync":
            server = grpc.server(ThreadPoolExecutor(4))
        else:

            async def make() -> grpc.aio.Server:
                return grpc.aio.server()

            server = loop.run(make())
        for step in steps:
            step(server)
        port = server.add_insecure_port("127.0.0.1:0")
        if kind == "sync":
            server.start()
            stops.append(lambda: server.stop(None))
        else:
            loop.run(server.start())
            stops.append(lambda: loop.run(server.stop(None)))
        channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        stops.insert(0, channel.close)
        return Health(channel)

    yield start
    for stop in stops:
        stop()


def echo(kind: Kind) -> Callable[[Any], object]:
    return lambda server: add_EchoServicer_to_server(
        Provider() if kind == "sync" else AsyncProvider(), server
    )


def own_health(kind: Kind) -> Callable[[Any], object]:
    """A health service of the user's own, which knows of nothing but `mine`."""

    def add(server: Any) -> None:
        own: Any
        if kind == "sync":
            own = health.HealthServicer()
            own.set("mine", health_pb2.HealthCheckResponse.NOT_SERVING)
        else:
            own = cast("Any", health).aio.HealthServicer()
            own._server_status["mine"] = health_pb2.HealthCheckResponse.NOT_SERVING
        cast("Any", health_pb2_grpc).add_HealthServicer_to_server(own, server)

    return add


def generic_health(kind: Kind) -> Callable[[Any], object]:
    """The same as a generic handler only, as older generated code has it."""

    class Recorder:
        def __init__(self, server: Any) -> None:
            self.add_generic_rpc_handlers = server.add_generic_rpc_handlers

        def add_registered_method_handlers(self, *ignored: object) -> None:
            pass

    return lambda server: own_health(kind)(Recorder(server))


def test_services_of_a_plain_server_serve_from_the_start(kind: Kind, plain: Callable[..., Health]) -> None:
    health = plain(echo(kind))
    assert [health.check(name) for name in ("", "test.Echo")] == ["SERVING", "SERVING"]
    assert next(health.watch("test.Echo")) == "SERVING"


def test_without_the_generated_function_a_server_has_no_health_service(plain: Callable[..., Health]) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        plain().check()
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("own", [own_health, generic_health])
@pytest.mark.parametrize("before", [True, False])
def test_a_health_service_of_the_users_own_wins(
    kind: Kind, plain: Callable[..., Health], own: Callable[[Kind], Any], before: bool
) -> None:
    steps = [own(kind), echo(kind)] if before else [echo(kind), own(kind)]
    health = plain(*steps)
    assert health.check("mine") == "NOT_SERVING"
    assert next(health.watch("mine")) == "NOT_SERVING"
    with pytest.raises(grpc.RpcError) as raised:
        health.check("test.Echo")
    assert raised.value.code() is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("own", [own_health, generic_health])
def test_it_wins_on_our_server_too(kind: Kind, make: Serve, own: Callable[[Kind], Any]) -> None:
    running = make()
    own(kind)(running.server)
    assert running.start().health().check("mine") == "NOT_SERVING"


def test_a_plain_server_that_nobody_has_any_more_goes() -> None:
    server = grpc.server(ThreadPoolExecutor(1))
    add_EchoServicer_to_server(Provider(), server)
    gone = weakref.ref(server)
    gc.disable()  # grpc stops such a server when its last reference goes, not some time later
    try:
        del server
        assert gone() is None
    finally:
        gc.enable()
