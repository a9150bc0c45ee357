"""Serving on threads: `serve`, and `Server` for its steps. `aio_server.py` is the twin."""

from __future__ import annotations

import inspect
import threading
import weakref
from collections.abc import Callable, Coroutine, Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack

import grpc

from .._health.checks import HealthCheck
from .._health.registration import board_of
from .._health.workers import Workers
from .._sidecar.admin import Sidecar
from .handlers import Handlers, own
from .hosted import Hosted
from .lifecycle import Lifecycle
from .listening import Listening, channel_arguments
from .options import DEFAULT_GRACE, ServerOptions, plan_of
from .parts import Parts, Stoppable
from .process import process
from .registration import add_servicer, services_of
from .traffic import Traffic

if TYPE_CHECKING:
    import asyncio


class SyncServerOptions(ServerOptions, total=False):
    """Keyword arguments of `Server`."""

    interceptors: Sequence[grpc.ServerInterceptor]
    on_start: Callable[[Server], object] | None
    on_drain: Callable[[Server], object] | None


class Server(Hosted, grpc.Server):
    """A gRPC server with the life of a service in a mesh.

    It is a `grpc.Server` too: generated `add_..._to_server` functions of any origin take it, before it is
    started.

    * `start` listens, reports NOT_SERVING to health checks and probes, waits for the sidecar if there is one,
      calls `on_start`, and runs the health checks once. Calls that come meanwhile wait. Then it serves:
      health checks and probes pass, and the sidecar is told (`POST /healthcheck/ok`) until it takes it, and
      again after it has restarted.
    * `drain` reports NOT_SERVING, tells the sidecar (`POST /healthcheck/fail`), marks responses with
      `x-envoy-immediate-health-check-fail`, waits until no more calls come in, lets those that run end, and
      cuts off what is left.

    Each step down is bounded, and goes ahead if the one before it fails. As a context manager the server
    starts on entry and drains on exit. Several servers of one process share the sidecar, which is told that
    the application takes traffic while any of them does, the port of the probes, and the signals.
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
        quiet: float | None = None,
        grace: float = DEFAULT_GRACE,
        reflection: bool = False,
        strict_routing: bool = False,
    ) -> None:
        """Adds the servicers; listens on nothing and starts nothing yet.

        Args:
            *servicers: instances of generated servicers.
            address: what to listen on, one or several: `127.0.0.1:50051`, `[::]:0` (any free port),
                `unix:/run/app.sock`. By default what `DUBBO_MESH_LISTEN` says, and without it `[::]`, which
                is IPv4 too, on each distinct port of the servicers' services.
            port: short for the address `[::]:port`.
            credentials: for TLS on all of the addresses. In a mesh the sidecars take care of that.
            options: channel arguments of gRPC's core. They replace ours: no other process may share the port
                (`grpc.so_reuseport` 0), and peers may ping as often as they like
                (`grpc.http2.max_ping_strikes` 0).
            interceptors: grpc's. Health checks and reflection do not pass through them.
            compression: of the responses.
            max_workers: threads that run handlers; by default as many as Python's `ThreadPoolExecutor` has.
                Health checks have threads of their own. No handler keeps the process from ending.
            maximum_concurrent_rpcs: more calls than that end with RESOURCE_EXHAUSTED, health checks included.
            sidecar: the Envoy beside this process: a `Sidecar`, `host:port` of its admin endpoint, or `off`.
                By default what `DUBBO_MESH_ADMIN` says, and without it `127.0.0.1:15000`, if
                `DUBBO_MESH_MODE` is `sidecar`.
            sidecar_timeout: seconds to wait at start until the sidecar is ready; 10 by default. Where only
                the default address tells of a sidecar and nothing accepts connections there, nothing is
                waited for.
            require_sidecar: whether a sidecar that is not ready in time is an error, and one that is gone
                makes the readiness probe fail. Otherwise the server starts without it, and tells it when it
                comes.
            sidecar_exit: whether the sidecar is told to exit in the end (`POST /quitquitquit`), as Jobs need.
            probes: `host:port` for Kubernetes' probes, or `off`. By default what `DUBBO_MESH_PROBES` says,
                and without it port 22222 on all addresses, if that is free.
            health_checks: functions that say whether the server can do its work; `HealthCheck` for more.
            on_start: called with the server before it serves. If it raises, the server stops.
            on_drain: called with the server, on a thread of its own, when it begins to drain.
            drain: seconds at most for traffic to go elsewhere. By default what `DUBBO_MESH_DRAIN` says, or 5;
                nothing is waited for if neither this nor `quiet` is set and nobody could notice: no sidecar,
                no Kubernetes, and no health check or probe was ever answered.
            quiet: seconds without a new call after which traffic counts as gone; 2 by default.
            grace: seconds that running calls then get to end. Kubernetes kills a pod 30 s after SIGTERM
                (`terminationGracePeriodSeconds`): `drain + grace` should be less.
            reflection: whether to serve gRPC reflection (needs the extra `dubbo-mesh[reflection]`).
            strict_routing: whether a call must ask for exactly a servicer's version and group. Otherwise a
                servicer answers what does not contradict its own, and a call that asks for neither gets the
                servicer without, or the only one.

        Raises:
            ConfigurationError: a setting is wrong, or a variable of the environment; the message names it.
            TypeError: a servicer is not an instance of a generated one, or it or a hook is async.
        """
        for name, hook in (("on_start", on_start), ("on_drain", on_drain)):
            if inspect.iscoroutinefunction(hook):
                raise TypeError(f"{name} is a coroutine function: use dubbo_mesh.aio.Server")
        plan = plan_of(
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
        services = [(servicer, service) for servicer in servicers for service in services_of(servicer)]
        traffic = Traffic(held=True)
        self._handlers = Handlers(traffic, asynchronous=False, strict_routing=strict_routing)
        own(self, self._handlers)
        board = board_of(self, serving=False)
        workers = Workers("dubbo-mesh-handler", max_workers)
        self._server = grpc.server(
            workers,
            handlers=[self._handlers],
            interceptors=self._handlers.around(interceptors),
            options=channel_arguments(options),
            maximum_concurrent_rpcs=maximum_concurrent_rpcs,
            compression=compression,
        )
        self._listening = Listening(
            self._server, address=address, port=port, credentials=credentials, options=options
        )
        core = _Core(self, self._server, workers, on_start, on_drain)
        parts = Parts(plan, board, traffic, core, self._listening, reflection=reflection)
        self._life = Lifecycle(parts)
        for servicer, service in services:
            add_servicer(servicer, self, service)

    def start(self) -> None:
        """Comes up, and returns when the server serves.

        Returns too if the server is told to drain or stop meanwhile, once it has stopped.

        Raises:
            OSError: an address cannot be listened on.
            SidecarError: `require_sidecar` is set and the sidecar did not become ready in time.
            ConfigurationError: there is nothing to listen on, a health check is about a service that is
                not on the server, or reflection is asked for and not installed.
            RuntimeError: the server was started or stopped before.
        """
        self._life.begin()
        _run(self._life.come_up())

    def drain(self, *, wait: bool = True) -> None:
        """Goes down as gently as possible, within the seconds of `drain` and `grace` together.

        Args:
            wait: whether to return only when the server has stopped. Handlers and hooks must not wait.
        """
        self._life.drain()
        if wait:
            self._life.stopped.wait()

    def stop(self, grace: float | None = None) -> threading.Event:
        """Goes down without waiting for traffic to go elsewhere, as `grpc.Server.stop` does.

        Args:
            grace: seconds that running calls get to end, whatever the constructor's `grace` is; None cuts
                them off and waits until the server has stopped.

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
        """The same as in `grpc.Server`: returns whether the time was over first."""
        return not self.wait(timeout)

    def run(self) -> None:
        """Starts, blocks until SIGTERM, SIGINT or `drain`, and returns when the server has stopped.

        The signals reach all servers of the process. A second one stops them at once, and ends the process if
        `on_start` hangs; one that comes within half a second of the first does not count. Signals are heard
        on the main thread only, and are handled as before when this returns.
        """
        life = self._life
        awake = threading.Event()
        with process.running(life, awake.set, life.is_starting):
            if life.leaving:  # a signal came first
                life.stopped.wait()
                return
            self.start()
            life.when_stopped(awake.set)
            while not life.stopped.is_set():
                awake.wait()
                awake.clear()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.drain()


def serve(*servicers: object, **options: Unpack[SyncServerOptions]) -> None:
    """Serves until SIGTERM or SIGINT, then drains, and returns when all is done.

    Takes care of health checks, Kubernetes probes and the sidecar, see `Server`; each step down is logged
    with its time. A second signal cuts everything short.

    Args:
        *servicers: instances of generated servicers.
        **options: the keyword arguments of `Server`.

    Raises:
        ConfigurationError: a setting is wrong, or a variable of the environment; the message names it.
        OSError: an address cannot be listened on.
        SidecarError: `require_sidecar` is set and the sidecar did not become ready in time.
    """
    Server(*servicers, **options).run()


class _Core:
    """grpc's server on threads, as the lifecycle needs it. Its coroutines block, and never suspend."""

    loop: asyncio.AbstractEventLoop | None = None

    def __init__(
        self,
        owner: Server,
        server: grpc.Server,
        workers: Workers,
        on_start: Callable[[Server], object] | None,
        on_drain: Callable[[Server], object] | None,
    ) -> None:
        self.owner: Callable[[], Server | None] = weakref.ref(owner)
        self._server = server
        self._workers = workers
        self._on_start = on_start
        self._on_drain = on_drain

    async def start(self, ended: Callable[[], None]) -> None:
        self._server.start()

    async def run_blocking(self, work: Callable[[], None]) -> None:
        work()

    async def wait_stopped(self, life: Stoppable) -> None:
        life.stopped.wait()

    async def run_on_start(self) -> None:
        _call(self._on_start, self.owner())

    def run_on_drain(self) -> None:
        _call(self._on_drain, self.owner())

    def stop(self, grace: float) -> Callable[[float], bool]:
        try:
            return self._server.stop(grace).wait
        except RuntimeError:  # grpc could not start the thread that would cut calls off after their grace
            return self._server.stop(None).wait

    def discard(self) -> Callable[[float], bool]:
        self._server.start()
        return self.stop(0.0)

    def close(self) -> None:
        self._workers.shutdown()


def _call(hook: Callable[[Server], object] | None, server: Server | None) -> None:
    if hook is not None and server is not None:
        hook(server)


def _run(blocking: Coroutine[Any, Any, None]) -> None:
    """Runs a coroutine that never suspends, since all that it awaits blocks instead."""
    try:
        blocking.send(None)
    except StopIteration:
        return
    raise AssertionError("a step of a sync server has suspended")
