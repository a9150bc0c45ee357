"""Serving on threads: `serve`, and `Server` for its steps. `aio/_server.py` is the twin."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from types import FrameType, TracebackType
from typing import Any, Self, Unpack

import grpc

from .._health.board import WHOLE_SERVER
from .._health.checks import HealthCheck
from .._health.registration import board_of
from .._health.workers import Workers
from .._sidecar.admin import Sidecar
from . import options as _serving
from .handlers import Handlers, own
from .lifecycle import LOGGER, Lifecycle
from .registration import add_servicer, services_of
from .traffic import Traffic

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class ServerSettings(_serving.Settings, total=False):
    """Keyword arguments of `Server`."""

    interceptors: Sequence[grpc.ServerInterceptor]
    on_start: Callable[[Server], object] | None
    on_drain: Callable[[Server], object] | None


class Server(grpc.Server):
    """A gRPC server with the life of a service in a mesh.

    It is a `grpc.Server` too: generated `add_..._to_server` functions of any origin take it, before it is
    started.

    * `start` binds, answers health checks and probes with no, waits for the sidecar, calls `on_start`, runs
      the health checks once, and says yes from then on: to health checks and probes, and to the sidecar
      (`POST /healthcheck/ok`), until it takes it, and again after it has restarted.
    * `drain` says no to all of them, marks every response with `x-envoy-immediate-health-check-fail`, waits
      until no more calls come in, lets those that run end, and cuts off what is left.

    As a context manager it starts on entry and drains on exit.
    """

    def __init__(
        self,
        *servicers: object,
        address: str | Sequence[str] | None = None,
        port: int | None = None,
        credentials: grpc.ServerCredentials | None = None,
        options: Sequence[tuple[str, Any]] = (),
        interceptors: Sequence[grpc.ServerInterceptor] = (),
        compression: grpc.Compression | None = None,
        max_workers: int | None = None,
        maximum_concurrent_rpcs: int | None = None,
        sidecar: Sidecar | str | None = None,
        sidecar_timeout: float | None = None,
        require_sidecar: bool = False,
        sidecar_exit: bool = False,
        probes: str | None = None,
        health_checks: Iterable[HealthCheck | Callable[[], object]] = (),
        on_start: Callable[[Server], object] | None = None,
        on_drain: Callable[[Server], object] | None = None,
        drain: float | None = None,
        quiet: float = _serving.DEFAULT_QUIET,
        grace: float = _serving.DEFAULT_GRACE,
        reflection: bool = False,
        strict_routing: bool = False,
    ) -> None:
        """Adds the servicers; binds and starts nothing yet.

        Args:
            *servicers: instances of generated servicers.
            address: what to listen on, one or several: `127.0.0.1:50051`, `[::]:0` (any free port),
                `unix:/run/app.sock`. By default `[::]`, which is IPv4 too, on each distinct port of the
                servicers' services.
            port: short for the address `[::]:port`.
            credentials: for TLS on all of the addresses. In a mesh the sidecars see to that.
            options: channel arguments of gRPC's core.
            interceptors: of grpc's.
            compression: of the responses.
            max_workers: threads that run handlers; by default as many as Python's `ThreadPoolExecutor` has.
                Health checks have threads of their own. No handler keeps the process from ending.
            maximum_concurrent_rpcs: beyond which calls end with RESOURCE_EXHAUSTED, those to the health
                service too.
            sidecar: the Envoy beside this process: a `Sidecar`, `host:port` of its admin endpoint, or `off`.
                By default what `DUBBO_MESH_ADMIN` says, and without it `127.0.0.1:15000`, if
                `DUBBO_MESH_MODE` is `sidecar`.
            sidecar_timeout: seconds to wait at start until the sidecar is ready. By default 10, but 0 where
                nothing but a default says that there is one: neither an argument, nor `DUBBO_MESH_ADMIN`, nor
                Kubernetes.
            require_sidecar: whether a sidecar that is not ready in time is an error, and one that is gone
                makes the readiness probe fail. Otherwise the server starts without, and tells it when it
                comes.
            sidecar_exit: whether the sidecar is told to exit in the end (`POST /quitquitquit`), as Jobs want
                it.
            probes: `host:port` for Kubernetes' probes, or `off`. By default what `DUBBO_MESH_PROBES` says,
                and without it `0.0.0.0:22222`, if that is free.
            health_checks: functions that say whether the server can do its work; `HealthCheck` for more.
            on_start: called with the server before it serves; what it raises stops the server.
            on_drain: called with the server, on a thread of its own, when it begins to drain.
            drain: seconds that traffic gets at most to go elsewhere. By default what `DUBBO_MESH_DRAIN` says,
                or 5.
            quiet: seconds without a new call after which traffic counts as gone.
            grace: seconds that running calls then get to end. Kubernetes kills a pod 30 s after SIGTERM
                (`terminationGracePeriodSeconds`): `drain + grace` should be less.
            reflection: whether to serve gRPC reflection (needs the extra `dubbo-mesh[reflection]`).
            strict_routing: whether calls that ask for another version or group than a service's own, or for
                none, end with UNIMPLEMENTED. Otherwise whoever calls is served, as by Dubbo Java's fallback.

        Raises:
            ConfigurationError: a setting is wrong, or a variable of the environment; the message names it.
            TypeError: a servicer is none that was generated, or is async.
        """
        plan = _serving.plan_of(
            sidecar=sidecar,
            sidecar_timeout=sidecar_timeout,
            require_sidecar=require_sidecar,
            sidecar_exit=sidecar_exit,
            probes=probes,
            health_checks=health_checks,
            drain=drain,
            quiet=quiet,
            grace=grace,
        )
        services = [services_of(servicer) for servicer in servicers]
        traffic = Traffic()
        self._handlers = Handlers(traffic, asynchronous=False, strict_routing=strict_routing)
        own(self, self._handlers)
        board = board_of(self, serving=False)
        self._workers = Workers("dubbo-mesh-handler", max_workers)
        self._server = grpc.server(
            self._workers,
            handlers=[self._handlers],
            interceptors=self._handlers.around(interceptors),
            options=_serving.server_options(options),
            maximum_concurrent_rpcs=maximum_concurrent_rpcs,
            compression=compression,
        )
        self._life = Lifecycle(plan, board, traffic)
        self._address = address
        self._port = port
        self._credentials = credentials
        self._on_start = on_start
        self._on_drain = on_drain
        self._reflection = reflection
        self._ports: list[int] = []
        for servicer, served in zip(servicers, services, strict=True):
            for service in served:
                add_servicer(servicer, self, service)

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports listened on, in the order of the addresses."""
        return tuple(self._ports)

    @property
    def probes_port(self) -> int | None:
        """The port the probes are answered on; None while they are not."""
        return self._life.probes_port

    @property
    def draining(self) -> bool:
        """Whether the server has begun to drain. Handlers of long streams should end when it has."""
        return self._life.traffic.leaving

    def start(self) -> None:
        """Comes up, and returns when the server serves.

        Raises:
            OSError: an address cannot be listened on.
            SidecarError: `require_sidecar` is set and the sidecar did not become ready in time.
            ConfigurationError: a health check is about a service that is not on the server, or reflection is
                asked for and not installed.
        """
        life = self._life
        life.begin(self._stop_serving, self._drained)
        try:
            if self._reflection:
                _serving.reflect(self, life.board)
            if not self._ports:
                addresses = _serving.addresses_of(self._address, self._port, life.board)
                self._ports += _serving.bind(self._server, addresses, self._credentials)
            life.answer_probes()
            self._server.start()
            life.await_sidecar()
            if self._on_start is not None and not life.gives_up:
                self._on_start(self)
            life.check_health()
        except BaseException:
            self.stop(None)
            raise
        life.announce()

    def drain(self, *, wait: bool = True) -> None:
        """Goes down as gently as possible. Bounded by `drain` and `grace` together, and some milliseconds.

        Args:
            wait: whether to return only when the server has stopped. Handlers and hooks must not wait.
        """
        self._life.drain()
        if wait:
            self._life.stopped.wait()

    def stop(self, grace: float | None = None) -> threading.Event:
        """Goes down without waiting for traffic to go elsewhere, as `grpc.Server.stop` does.

        Args:
            grace: seconds that running calls get to end; None cuts them off and waits until the server has
                stopped.

        Returns:
            An event that is set when the server has stopped.
        """
        self._life.stop(grace or 0.0)
        if grace is None:
            self._life.stopped.wait()
        return self._life.stopped

    def wait(self, timeout: float | None = None) -> bool:
        """Waits, for `timeout` seconds at most, until the server has stopped; returns whether it has."""
        return self._life.stopped.wait(timeout)

    def wait_for_termination(self, timeout: float | None = None) -> bool:
        """As `grpc.Server` has it: returns whether the time was over first."""
        return not self.wait(timeout)

    def run(self) -> None:
        """Starts, blocks until SIGTERM, SIGINT or `drain`, and returns when the server has stopped.

        A second signal cuts everything short. Signals are heeded on the main thread only, and are handled as
        before when this returns.
        """
        life = self._life
        heard: list[signal.Signals] = []

        def heed(number: int, _frame: FrameType | None) -> None:
            # Interrupts the main thread anywhere, so it takes no lock.
            heard.append(signal.Signals(number))
            life.abandoned = True
            if not life.started and len(heard) > 1:
                raise SystemExit(128 + number)

        with _handled(heed) as awake:
            self.start()
            life.when_stopped(awake.set)
            heeded = 0
            while not life.stopped.is_set():
                for caught in heard[heeded:]:
                    heeded += 1
                    if life.going_down:
                        LOGGER.warning("%s again: stopping at once", caught.name)
                        life.stop(0.0)
                    else:
                        LOGGER.info("%s", caught.name)
                        life.drain()
                awake.wait()

    def is_serving(self, service: object = WHOLE_SERVER) -> bool | None:
        """Whether `service` takes calls, as health checks are told.

        Args:
            service: its full name or Dubbo service key, its `dubbo_mesh.Service`, or a generated class; ""
                for the whole server.

        Returns:
            None if there is no such service on this server.
        """
        return self._life.board.is_serving(_serving.name_of(service))

    def set_serving(self, service: object, serving: bool) -> None:
        """Takes a service out while others serve, or back in.

        Args:
            service: as `is_serving` has it; "" takes the whole server out.
            serving: whether it takes calls. Nothing serves before the server has started, or while it drains.

        Raises:
            KeyError: there is no such service on this server.
        """
        self._life.board.set_serving(_serving.name_of(service), serving)

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        """As `grpc.Server` has it."""
        self._handlers.extend(generic_rpc_handlers)

    def add_registered_method_handlers(
        self, service_name: str, method_handlers: Mapping[str, grpc.RpcMethodHandler[Any, Any]]
    ) -> None:
        """As `grpc.Server` has it."""
        self._handlers.register(service_name, method_handlers)

    def add_insecure_port(self, address: str) -> int:
        """As `grpc.Server` has it; the ports of the services are then not listened on unasked."""
        port = self._server.add_insecure_port(address)
        self._ports.append(port)
        return port

    def add_secure_port(self, address: str, server_credentials: grpc.ServerCredentials) -> int:
        """As `grpc.Server` has it; the ports of the services are then not listened on unasked."""
        port = self._server.add_secure_port(address, server_credentials)
        self._ports.append(port)
        return port

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.drain()

    def _stop_serving(self, grace: float) -> bool:
        stopped = self._server.stop(grace).wait(grace + 1.0)
        self._workers.shutdown()
        return stopped

    def _drained(self) -> None:
        if self._on_drain is not None:
            self._on_drain(self)


def serve(*servicers: object, **settings: Unpack[ServerSettings]) -> None:
    """Serves until SIGTERM or SIGINT, then drains, and returns when all is done.

    Health checks, Kubernetes probes and the sidecar are seen to, see `Server`; each step down is logged with
    its time. A second signal cuts everything short.

    Args:
        *servicers: instances of generated servicers.
        **settings: the keyword arguments of `Server`.

    Raises:
        ConfigurationError: a setting is wrong, or a variable of the environment; the message names it.
        OSError: an address cannot be listened on.
        SidecarError: `require_sidecar` is set and the sidecar did not become ready in time.
    """
    Server(*servicers, **settings).run()


class _Awake:
    """Wakes the main thread when a signal comes, whichever thread the system gives the signal to."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)

    def fileno(self) -> int:
        """What Python writes to when a signal comes."""
        return self._writer.fileno()

    def set(self) -> None:
        """Wakes the main thread for another reason."""
        with suppress(OSError):  # it is full, then it is awake anyhow, or closed, then nobody sleeps
            self._writer.send(b"\0")

    def wait(self) -> None:
        """Sleeps until there is a reason not to."""
        self._reader.recv(4096)

    def close(self) -> None:
        """Is needed no more."""
        self._reader.close()
        self._writer.close()


@contextmanager
def _handled(handler: Callable[[int, FrameType | None], None]) -> Generator[_Awake, None, None]:
    """Handles the signals to stop with `handler`, where Python lets us: on the main thread."""
    with closing(_Awake()) as awake:
        if threading.current_thread() is not threading.main_thread():
            yield awake
            return
        before = {number: signal.signal(number, handler) for number in _STOP_SIGNALS}
        written_before = signal.set_wakeup_fd(awake.fileno(), warn_on_full_buffer=False)
        try:
            yield awake
        finally:
            signal.set_wakeup_fd(written_before)
            for number, previous in before.items():
                signal.signal(number, previous if previous is not None else signal.SIG_DFL)
