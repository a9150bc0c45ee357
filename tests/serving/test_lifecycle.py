"""How a server comes up beside its sidecar and goes down again, step by step."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
import dubbo_mesh.aio
import localmesh
from tests.serving import fake_admin
from tests.serving.conftest import Kind, Running
from tests.serving.fake_admin import FakeAdmin
from tests.serving.providers import AsyncProvider, Provider
from tests.serving.test_health import Keyed
from tests.serving.test_sidecar import hang

Serve = Callable[..., Running]


@pytest.fixture
def admin() -> Iterator[FakeAdmin]:
    with FakeAdmin() as admin:
        yield admin


# Coming up.


def test_it_listens_on_each_distinct_port_of_its_services(make: Serve) -> None:
    with localmesh.ReservedPort() as one, localmesh.ReservedPort() as other:
        ports = (one.number, other.number, one.number)
        servicers = [servicer_at(port, f"test.Service{number}") for number, port in enumerate(ports)]
        running = make(*servicers, address=None).start()
        assert running.server.ports == (one.number, other.number)
        for port in running.server.ports:
            for host in ("127.0.0.1", "[::1]") if ipv6() else ("127.0.0.1",):
                with grpc.insecure_channel(f"{host}:{port}") as channel:
                    grpc.channel_ready_future(channel).result(5)


def servicer_at(port: int, name: str) -> dubbo_mesh.Servicer:
    class Servicer(dubbo_mesh.Servicer):
        __mesh__ = dubbo_mesh.Service(name, app="app", port=port)

    return Servicer()


def ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def test_it_listens_where_it_is_told(make: Serve, tmp_path: Any) -> None:
    socket_path = tmp_path / "app.sock"
    running = make(address=["127.0.0.1:0", f"unix:{socket_path}"]).start()
    assert running.stub().unary(StringValue(value="hello")).value == "hello"
    with grpc.insecure_channel(f"unix:{socket_path}") as channel:
        grpc.channel_ready_future(channel).result(5)
    assert make(address=None, port=0).start().port > 0


def test_a_port_is_shared_with_nobody(serve: Serve, make: Serve) -> None:
    address = f"127.0.0.1:{serve().port}"
    with pytest.raises(OSError, match=f"cannot listen on {address}: is the port taken"):
        make(address=address).start()
    with pytest.raises(dubbo_mesh.ConfigurationError, match="not both"):
        make(address=address, port=1).start()
    with pytest.raises(dubbo_mesh.ConfigurationError, match="port: 70000"):
        make(address=None, port=70000).start()


def test_it_serves_before_the_sidecar_is_told(make: Serve, admin: FakeAdmin) -> None:
    order: list[str] = []

    def answer(peer: socket.socket) -> None:
        order.append(running.health().check())
        peer.sendall(fake_admin.OK)

    def hook(_: object) -> None:
        order.append("on_start")

    admin.answers["/healthcheck/ok"] = answer
    running = make(sidecar=admin.address, on_start=hook)
    running.start()
    localmesh.wait_until(lambda: len(order) == 2, what="the sidecar is told")
    assert order == ["on_start", "SERVING"]
    assert admin.requests[:2] == ["GET /ready", "POST /healthcheck/ok"]


def test_it_waits_for_the_sidecar(make: Serve, admin: FakeAdmin) -> None:
    admin.answers["/ready"] = fake_admin.INITIALIZING
    running = make(sidecar=admin.address)
    starting = threading.Thread(target=running.start)
    starting.start()
    localmesh.wait_until(lambda: admin.requests.count("GET /ready") > 2, what="it has asked some times")
    assert starting.is_alive()
    assert not running.server.is_serving("")
    admin.answers["/ready"] = fake_admin.LIVE
    starting.join()
    assert running.server.is_serving("")


def test_a_sidecar_that_never_comes_stops_nobody(make: Serve, caplog: pytest.LogCaptureFixture) -> None:
    running = make(sidecar=nowhere(), sidecar_timeout=0.3).start()
    assert running.health().check() == "SERVING"
    assert "is not ready after 0." in caplog.text


def test_unless_it_is_required(make: Serve) -> None:
    with pytest.raises(dubbo_mesh.SidecarError, match=r"not ready within 0\.3 s and require_sidecar is set"):
        make(sidecar=nowhere(), sidecar_timeout=0.3, require_sidecar=True).start()
    with pytest.raises(dubbo_mesh.ConfigurationError, match="there is no sidecar: sidecar= is 'off'"):
        make(sidecar="off", require_sidecar=True)


def test_only_a_sign_of_a_sidecar_is_waited_for(make: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dubbo_mesh._addressing.environment.DEFAULT_ADMIN", nowhere())
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")  # ambient and proxyless pods have no sidecar
    assert not plan(make(sidecar=None)).expect_sidecar
    for given in ({"sidecar": nowhere()}, {"sidecar_timeout": 3}, {"require_sidecar": True}):
        assert plan(make(**{"sidecar": None} | given)).expect_sidecar
    for variable in ("DUBBO_MESH_ADMIN", "DUBBO_MESH_EGRESS"):
        with monkeypatch.context() as patch:
            patch.setenv(variable, nowhere())
            assert plan(make(sidecar=None)).expect_sidecar
    monkeypatch.setenv("DUBBO_MESH_MODE", "proxyless")
    assert plan(make(sidecar=None)).sidecar is None


def plan(running: Running) -> Any:
    return running.server._life.parts.plan


def test_the_environment_speaks_unless_an_argument_does(make: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUBBO_MESH_ADMIN", "127.0.0.1:19000")
    monkeypatch.setenv("DUBBO_MESH_PROBES", "127.0.0.1:19001")
    monkeypatch.setenv("DUBBO_MESH_DRAIN", "7.5")
    said = plan(make(sidecar=None, probes=None, drain=None))
    assert (said.sidecar.admin, said.probes, said.drain) == ("127.0.0.1:19000", "127.0.0.1:19001", 7.5)
    said = plan(make(sidecar="127.0.0.1:1", probes="off", drain=1))
    assert (said.sidecar.admin, said.probes, said.drain) == ("127.0.0.1:1", None, 1)
    monkeypatch.setenv("DUBBO_MESH_DRAIN", "soon")
    with pytest.raises(dubbo_mesh.ConfigurationError, match="DUBBO_MESH_DRAIN"):
        make()


@pytest.mark.parametrize(
    "wrong",
    [
        {"drain": -1},
        {"grace": float("inf")},
        {"quiet": float("nan")},
        {"sidecar_timeout": -1},
        {"probes": "22222"},
        {"probes": "a..b:22222"},
        {"sidecar": "here"},
    ],
    ids=str,
)
def test_settings_that_cannot_be_are_told_by_name(make: Serve, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="admin" if "sidecar" in wrong else next(iter(wrong))):
        make(**wrong)


def test_what_is_no_generated_servicer_is_refused(make: Serve) -> None:
    for servicer in (object(), Provider):
        with pytest.raises(TypeError, match="add_\\.\\.\\._to_server"):
            make(servicer)


def test_a_hook_that_fails_stops_the_server(make: Serve, kind: Kind) -> None:
    async def fail_async(_: Any) -> None:
        raise LookupError("no schema")

    def fail(_: Any) -> None:
        raise LookupError("no schema")

    running = make(on_start=fail if kind == "sync" else fail_async)
    with pytest.raises(LookupError, match="no schema"):
        running.start()
    assert running.call("wait", 5) is True
    with pytest.raises(grpc.RpcError):
        running.health().check()


def test_the_sidecar_is_told_until_it_listens(make: Serve) -> None:
    with localmesh.ReservedPort() as port:
        running = make(sidecar=f"127.0.0.1:{port.number}", sidecar_timeout=0)
        running.start()
        time.sleep(0.3)
        with FakeAdmin(port.number) as admin:
            localmesh.wait_until(admin.told, what="it is told")
            assert admin.told() == ["/healthcheck/ok"]


def test_a_sidecar_that_refuses_is_told_again(make: Serve, admin: FakeAdmin) -> None:
    admin.answers["/healthcheck/ok"] = fake_admin.REFUSED
    make(sidecar=admin.address).start()
    localmesh.wait_until(lambda: len(admin.told()) > 2, what="it was told three times")
    admin.answers["/healthcheck/ok"] = fake_admin.OK
    told = len(admin.told())
    time.sleep(0.8)
    assert len(admin.told()) <= told + 1


def test_a_sidecar_that_restarts_is_told_again(make: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dubbo_mesh._sidecar.link.LOOK", 0.05)
    with localmesh.ReservedPort() as port:
        with FakeAdmin(port.number) as admin:
            running = make(sidecar=admin.address, require_sidecar=True, probes="127.0.0.1:0").start()
            localmesh.wait_until(lambda: running.probe("/ready")[0] == 200, what="the pod is ready")
        localmesh.wait_until(lambda: running.probe("/ready")[0] == 503, what="the pod is not ready")
        assert running.health().check() == "SERVING"  # the app itself is well
        with FakeAdmin(port.number) as admin:
            localmesh.wait_until(lambda: running.probe("/ready")[0] == 200, what="the pod is ready again")
            assert admin.told() == ["/healthcheck/ok"]


def test_what_somebody_else_told_the_sidecar_stands(make: Serve, admin: FakeAdmin, monkeypatch: Any) -> None:
    monkeypatch.setattr("dubbo_mesh._sidecar.link.LOOK", 0.05)
    make(sidecar=admin.address).start()
    localmesh.wait_until(admin.told, what="it is told")
    admin.answers["/ready"] = fake_admin.DRAINING  # by an operator, say
    time.sleep(0.4)
    assert admin.told() == ["/healthcheck/ok"]


# Going down.


def test_the_steps_down_come_in_order_and_are_logged(
    make: Serve, admin: FakeAdmin, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "dubbo_mesh")
    seen: list[tuple[str, bool]] = []

    def answer(peer: socket.socket) -> None:
        if not seen:  # it is told more than once
            seen.append((running.health().check(), running.server.draining))
        peer.sendall(fake_admin.OK)

    admin.answers["/healthcheck/fail"] = answer
    running = make(sidecar=admin.address, sidecar_exit=True, drain=2, quiet=0.3).start()
    localmesh.wait_until(admin.told, what="the sidecar is told that the server is up")
    running.drain()
    assert set(seen) == {("NOT_SERVING", True)}
    assert [each for each in admin.told() if each != "/healthcheck/fail"] == [
        "/healthcheck/ok",
        "/quitquitquit",
    ]
    steps = [
        "draining: traffic has 2 s to go elsewhere, then calls 5 s to end",
        "health NOT_SERVING, readiness false, responses marked",
        "sidecar told",
        "no call for 0.3 s",
        "taking no more calls; those running have 5 s",
        "all calls have ended",
        "sidecar told to exit",
        "stopped",
    ]
    logged = [record.getMessage() for record in caplog.records]
    down = logged[logged.index(steps[0]) :]
    assert [message.partition(" s: ")[2] or message for message in down] == steps
    seconds = [float(message.partition(" s: ")[0]) for message in down[1:]]
    assert seconds == sorted(seconds)


def test_the_sidecar_stays_unless_asked_to_exit(make: Serve, admin: FakeAdmin) -> None:
    make(sidecar=admin.address).start().drain()
    assert "/quitquitquit" not in admin.told()


def test_traffic_gets_until_the_drain_time_is_over(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    running = serve(drain=2, quiet=1.5)
    stub = running.stub()
    drain = running.drain_in_background()
    answered = 0
    while stub.unary.future(StringValue(value="still here"), timeout=5).exception() is None:
        answered += 1
        time.sleep(0.01)
    assert answered > 1
    assert "the drain time is over, and calls still come in" in caplog.text
    drain.join()


def test_without_traffic_it_goes_after_the_quiet(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "dubbo_mesh")
    serve(drain=3600, quiet=0.3).drain()
    assert "no call for 0.3 s" in caplog.text


def test_running_calls_get_their_grace(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    running = serve(drain=0, grace=3600)
    unary: Any = running.stub().unary.future(StringValue(value="hold 0.6"))
    stream = running.stub().serverStream(StringValue(value="stream 6 0.1"))
    next(stream)
    localmesh.wait_until(lambda: "holding" in caplog.text, what="both run")
    running.drain()
    assert "all calls have ended" in caplog.text
    assert unary.result(5).value == "hold 0.6"
    assert len(list(stream)) == 5


def test_what_runs_longer_is_cut_off(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    running = serve(drain=0, grace=0.4)
    stream = running.stub().serverStream(StringValue(value="stream 10000 0.1"))
    next(stream)
    running.drain()
    with pytest.raises(grpc.RpcError) as raised:
        list(stream)
    assert raised.value.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
    assert "calls still running are cut off" in caplog.text


def test_handlers_that_never_end_hold_up_nobody(serve: Serve, kind: Kind) -> None:
    begun, over = threading.Event(), threading.Event()

    class Endless(Provider):
        def unary(self, request: StringValue, context: grpc.ServicerContext) -> StringValue:
            begun.set()
            over.wait()
            return request

    class AsyncEndless(AsyncProvider):
        async def unary(self, request: StringValue, context: dubbo_mesh.aio.ServicerContext) -> StringValue:
            begun.set()
            await asyncio.get_running_loop().create_future()
            return request

    running = serve(Endless() if kind == "sync" else AsyncEndless(), drain=0, grace=0.3)
    call: Any = running.stub().unary.future(StringValue())
    assert begun.wait(20)
    running.drain()
    assert call.exception(5) is not None
    over.set()


def test_an_admin_that_hangs_delays_nothing(make: Serve, admin: FakeAdmin) -> None:
    admin.answers["/healthcheck/fail"] = hang
    make(sidecar=admin.address, drain=2, quiet=1.2).start().drain()


def test_a_sidecar_that_restarts_while_draining_is_told_again(make: Serve) -> None:
    with localmesh.ReservedPort() as port:
        with FakeAdmin(port.number) as admin:
            running = make(sidecar=admin.address, drain=8, quiet=4).start()
            localmesh.wait_until(admin.told, what="it is told")
            drain = running.drain_in_background()
            localmesh.wait_until(lambda: admin.told()[-1] == "/healthcheck/fail", what="it is told")
        with FakeAdmin(port.number) as admin:
            localmesh.wait_until(admin.told, what="it is told again")
            assert set(admin.told()) == {"/healthcheck/fail"}
        running.close()
        drain.join()


def test_stopping_hurries_draining_up(serve: Serve) -> None:
    running = serve(drain=3600, quiet=3600, grace=3600)
    stream = running.stub().serverStream(StringValue(value="stream 10000 0.1"))
    next(stream)
    drain = running.drain_in_background()
    localmesh.wait_until(lambda: running.server.draining, what="it drains")
    running.call("stop", 0.3)
    drain.join()


def test_a_server_is_started_once(serve: Serve) -> None:
    running = serve()
    with pytest.raises(RuntimeError, match="a server is started once"):
        running.start()
    assert running.health().check() == "SERVING"
    running.drain()
    with pytest.raises(RuntimeError, match="make another"):
        running.start()


def test_a_start_that_fails_leaves_no_probes(make: Serve, serve: Serve) -> None:
    taken = serve()
    with localmesh.ReservedPort() as port:
        running = make(address=f"127.0.0.1:{taken.port}", probes=port.address)
        with pytest.raises(OSError, match="is the port taken"):
            running.start()
        assert running.call("wait", 5) is True
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port.number), 1)


def test_draining_twice_is_draining_once(serve: Serve) -> None:
    running = serve(drain=0.3, quiet=1)
    first, second = running.drain_in_background(), running.drain_in_background()
    first.join()
    second.join()
    running.drain()
    assert running.call("wait", 0) is True


def test_a_server_that_was_never_started_drains_at_once(make: Serve) -> None:
    make(drain=3600, quiet=3600).drain()


def test_the_drain_hook_runs_once_and_is_waited_for(make: Serve, kind: Kind) -> None:
    seen: list[str] = []

    def note(server: Any) -> None:
        seen.append(f"draining: {server.draining}")
        time.sleep(0.3)
        seen.append("done")

    async def note_async(server: Any) -> None:
        seen.append(f"draining: {server.draining}")
        await asyncio.sleep(0.3)
        seen.append("done")

    make(on_drain=note if kind == "sync" else note_async).start().drain()
    assert seen == ["draining: True", "done"]


def test_a_drain_hook_that_fails_stops_nothing(make: Serve, caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: Any) -> None:
        raise LookupError("flush")

    make(on_drain=fail).start().drain()
    assert "on_drain failed" in caplog.text


def test_a_drain_hook_that_hangs_is_left_behind(make: Serve, kind: Kind) -> None:
    over = threading.Event()

    def hang(_: Any) -> None:
        over.wait()

    async def hang_async(_: Any) -> None:
        await asyncio.get_running_loop().create_future()

    make(on_drain=hang if kind == "sync" else hang_async, drain=0, grace=0.3).start().drain()
    over.set()


def test_as_a_context_manager(kind: Kind) -> None:
    settings: Any = {"address": "127.0.0.1:0", "probes": "off", "sidecar": "off", "drain": 0}
    if kind == "sync":
        with dubbo_mesh.Server(Provider(), **settings) as server:
            assert server.is_serving("test.Echo")
        assert server.wait(0)
        assert server.wait_for_termination(0) is False
        return

    async def main() -> None:
        async with dubbo_mesh.aio.Server(Provider(), **settings) as server:
            assert server.is_serving("test.Echo")
        assert await server.wait(0.1)
        assert await server.wait_for_termination(0.1) is False

    asyncio.run(main())


def test_reflection_is_there_when_asked_for(make: Serve) -> None:
    from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

    def services(running: Running) -> set[str]:
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(running.channel())
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        (response,) = stub.ServerReflectionInfo(iter([request]), timeout=5)
        return {service.name for service in response.list_services_response.service}

    assert services(make(Provider(), Keyed(), reflection=True).start()) == {
        "test.Echo",
        "test.Keyed",
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    }
    with pytest.raises(grpc.RpcError) as raised:
        services(make().start())
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_without_the_extra_reflection_says_what_to_install(
    make: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "grpc_reflection.v1alpha", None)
    with pytest.raises(dubbo_mesh.ConfigurationError, match=r"pip install 'dubbo-mesh\[reflection\]'"):
        make(reflection=True).start()


def nowhere() -> str:
    with localmesh.ReservedPort() as port:
        return port.address
