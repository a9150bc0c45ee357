"""Serving on asyncio: `serve`, and `Server` for its steps. `../_server.py` is the twin."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import signal
import threading
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, Unpack

import grpc
import grpc.aio

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

    interceptors: Sequence[grpc.aio.ServerInterceptor]
    on_start: Callable[[Server], Awaitable[object] | object] | None
    on_drain: Callable[[Server], Awaitable[object] | object] | None


class Server(grpc.aio.Server):
    """A gRPC server with the life of a service in a mesh, on the running event loop.

    The twin of `dubbo_mesh.Server`, which says what it does. It is a `grpc.aio.Server` too: generated
    `add_..._to_server` functions of any origin take it, before it is started.

    Going down keeps its times even if the event loop is busy. As an async context manager the server starts
    on entry and drains on exit.
    """

    def __init__(
        self,
        *servicers: object,
        address: str | Sequence[str] | None = None,
        port: int | None = None,
        credentials: grpc.ServerCredentials | None = None,
        options: Sequence[tuple[str, Any]] = (),
        interceptors: Sequence[grpc.aio.ServerInterceptor] = (),
        compression: grpc.Compression | None = None,
        max_workers: int | None = None,
        maximum_concurrent_rpcs: int | None = None,
        sidecar: Sidecar | str | None = None,
        sidecar_timeout: float | None = None,
        require_sidecar: bool = False,
        sidecar_exit: bool = False,
        probes: str | None = None,
        health_checks: Iterable[HealthCheck | Callable[[], object]] = (),
        on_start: Callable[[Server], Awaitable[object] | object] | None = None,
        on_drain: Callable[[Server], Awaitable[object] | object] | None = None,
        drain: float | None = None,
        quiet: float = _serving.DEFAULT_QUIET,
        grace: float = _serving.DEFAULT_GRACE,
        reflection: bool = False,
        strict_routing: bool = False,
    ) -> None:
        """Adds the servicers; binds and starts nothing yet. To be called where the event loop runs.

        The arguments are those of `dubbo_mesh.Server`. What differs here:

        Args:
            *servicers: instances of generated servicers, async or sync.
            address: see `dubbo_mesh.Server`.
            port: see `dubbo_mesh.Server`.
            credentials: see `dubbo_mesh.Server`.
            options: see `dubbo_mesh.Server`.
            interceptors: of `grpc.aio`'s.
            compression: see `dubbo_mesh.Server`.
            max_workers: threads that run the handlers of sync servicers.
            maximum_concurrent_rpcs: see `dubbo_mesh.Server`.
            sidecar: see `dubbo_mesh.Server`.
            sidecar_timeout: see `dubbo_mesh.Server`.
            require_sidecar: see `dubbo_mesh.Server`.
            sidecar_exit: see `dubbo_mesh.Server`.
            probes: see `dubbo_mesh.Server`.
            health_checks: coroutine functions run on the event loop, others on threads.
            on_start: a function or coroutine function; it runs on the event loop.
            on_drain: a function or coroutine function; it runs on the event loop.
            drain: see `dubbo_mesh.Server`.
            quiet: see `dubbo_mesh.Server`.
            grace: see `dubbo_mesh.Server`.
            reflection: see `dubbo_mesh.Server`.
            strict_routing: see `dubbo_mesh.Server`.

        Raises:
            ConfigurationError: a setting is wrong, or a variable of the environment; the message names it.
            TypeError: a servicer is none that was generated.
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
        self._handlers = Handlers(traffic, asynchronous=True, strict_routing=strict_routing)
        own(self, self._handlers)
        board = board_of(self, serving=False)
        self._workers = Workers("dubbo-mesh-handler", max_workers)
        self._server = grpc.aio.server(
            self._workers,
            handlers=[self._handlers],
            interceptors=self._handlers.around(interceptors),
            options=_serving.server_options(options),
            maximum_concurrent_rpcs=maximum_concurrent_rpcs,
            compression=compression,
        )
        self._life = Lifecycle(plan, board, traffic)
        self._loop: asyncio.AbstractEventLoop | None = None
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

    async def start(self) -> None:
        """Comes up, and returns when the server serves.

        Raises:
            OSError: an address cannot be listened on.
            SidecarError: `require_sidecar` is set and the sidecar did not become ready in time.
            ConfigurationError: a health check is about a service that is not on the server, or reflection is
                asked for and not installed.
        """
        life = self._life
        life.begin(self._stop_serving, self._drained)
        self._loop = asyncio.get_running_loop()
        try:
            if self._reflection:
                _serving.reflect(self, life.board)
            if not self._ports:
                addresses = _serving.addresses_of(self._address, self._port, life.board)
                self._ports += _serving.bind(self._server, addresses, self._credentials)
            life.answer_probes()
            await self._server.start()
            await _on_thread(life.await_sidecar)
            if self._on_start is not None and not life.gives_up:
                await _called(self._on_start, self)
            await _on_thread(lambda: life.check_health(self._loop))
        except BaseException:
            life.stop(0.0)
            await self.wait()
            raise
        life.announce()

    async def drain(self, *, wait: bool = True) -> None:
        """Goes down as gently as possible. Bounded by `drain` and `grace` together, and some milliseconds.

        Args:
            wait: whether to return only when the server has stopped. Handlers and hooks must not wait.
        """
        self._life.drain()
        if wait:
            await self.wait()

    async def stop(self, grace: float | None) -> None:
        """Goes down without waiting for traffic to go elsewhere, as `grpc.aio.Server.stop` does.

        Args:
            grace: seconds that running calls get to end; None cuts them off.
        """
        self._life.stop(grace or 0.0)
        await self.wait()

    async def wait(self, timeout: float | None = None) -> bool:
        """Waits, for `timeout` seconds at most, until the server has stopped; returns whether it has."""
        if self._life.stopped.is_set():
            return True
        loop = asyncio.get_running_loop()
        stopped = asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(stopped.set)

        self._life.when_stopped(wake)
        try:
            await asyncio.wait_for(stopped.wait(), timeout)
        except TimeoutError:
            return False
        return True

    async def wait_for_termination(self, timeout: float | None = None) -> bool:
        """As `grpc.aio.Server` has it: returns whether the time was over first."""
        return not await self.wait(timeout)

    async def run(self) -> None:
        """Starts, and returns when SIGTERM, SIGINT, `drain` or cancellation have made the server stop.

        A second signal cuts everything short. Signals are heeded on the main thread's event loop only, and
        are handled as before when this returns.
        """
        life = self._life
        task = asyncio.current_task()
        starting = True

        def heed(caught: signal.Signals) -> None:
            if life.abandoned:
                LOGGER.warning("%s again: stopping at once", caught.name)
                life.stop(0.0)
                if starting and task is not None:
                    task.cancel()
            else:
                LOGGER.info("%s", caught.name)
                life.abandoned = True
                if not starting:
                    life.drain()

        with _handled(heed):
            await self.start()
            starting = False
            if life.abandoned:
                life.drain()
            try:
                await self.wait()
            except asyncio.CancelledError:
                await self.drain()
                raise

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
        """As `grpc.aio.Server` has it."""
        self._handlers.extend(generic_rpc_handlers)

    def add_registered_method_handlers(
        self, service_name: str, method_handlers: Mapping[str, grpc.RpcMethodHandler[Any, Any]]
    ) -> None:
        """As `grpc.aio.Server` has it."""
        self._handlers.register(service_name, method_handlers)

    def add_insecure_port(self, address: str) -> int:
        """As `grpc.aio.Server` has it; the ports of the services are then not listened on unasked."""
        port = self._server.add_insecure_port(address)
        self._ports.append(port)
        return port

    def add_secure_port(self, address: str, server_credentials: grpc.ServerCredentials) -> int:
        """As `grpc.aio.Server` has it; the ports of the services are then not listened on unasked."""
        port = self._server.add_secure_port(address, server_credentials)
        self._ports.append(port)
        return port

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.drain()

    def _stop_serving(self, grace: float) -> bool:
        """Stops the server from another thread than the event loop's."""
        if self._loop is None or self._loop.is_closed():
            return True
        stopping = asyncio.run_coroutine_threadsafe(self._server.stop(grace), self._loop)
        try:
            stopping.result(grace + 1.0)
        except TimeoutError:
            return False
        finally:
            self._workers.shutdown()
        return True

    def _drained(self) -> None:
        if self._on_drain is not None and self._loop is not None:
            asyncio.run_coroutine_threadsafe(_called(self._on_drain, self), self._loop).result()


async def serve(*servicers: object, **settings: Unpack[ServerSettings]) -> None:
    """Serves until SIGTERM, SIGINT or cancellation, then drains, and returns when all is done.

    Health checks, Kubernetes probes and the sidecar are seen to, see `dubbo_mesh.Server`; each step down is
    logged with its time. A second signal cuts everything short.

    Args:
        *servicers: instances of generated servicers, async or sync.
        **settings: the keyword arguments of `Server`.

    Raises:
        ConfigurationError: a setting is wrong, or a variable of the environment; the message names it.
        OSError: an address cannot be listened on.
        SidecarError: `require_sidecar` is set and the sidecar did not become ready in time.
    """
    await Server(*servicers, **settings).run()


async def _called(hook: Callable[[Server], Awaitable[object] | object], server: Server) -> None:
    result = hook(server)
    if inspect.isawaitable(result):
        await result


async def _on_thread(function: Callable[[], None]) -> None:
    """Runs `function` on a thread of its own: the event loop's executor may be full of the user's work."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def settle(error: BaseException | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    def run() -> None:
        trouble: BaseException | None = None
        try:
            function()
        except BaseException as error:  # noqa: BLE001 - it is the waiter's to see
            trouble = error
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, trouble)

    threading.Thread(target=run, name="dubbo-mesh-start", daemon=True).start()
    await done


@contextlib.contextmanager
def _handled(handler: Callable[[signal.Signals], None]) -> Generator[None, None, None]:
    """Has the event loop call `handler` for the signals to stop, where Python lets us: on the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in _STOP_SIGNALS}
    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, handler, number)
    try:
        yield
    finally:
        for number, previous in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, previous if previous is not None else signal.SIG_DFL)
