"""Serving on asyncio: `serve`, and `Server` for its steps. `server.py` is the twin."""

from __future__ import annotations

import asyncio
import inspect
import threading
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, Unpack

import grpc
import grpc.aio

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

Hook = Callable[["Server"], Awaitable[object] | object]


class AsyncServerOptions(ServerOptions, total=False):
    """Keyword arguments of `Server`."""

    interceptors: Sequence[grpc.aio.ServerInterceptor]
    on_start: Hook | None
    on_drain: Hook | None


class Server(Hosted, grpc.aio.Server):
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
        on_start: Hook | None = None,
        on_drain: Hook | None = None,
        drain: float | None = None,
        quiet: float | None = None,
        grace: float = DEFAULT_GRACE,
        reflection: bool = False,
        strict_routing: bool = False,
    ) -> None:
        """Adds the servicers; listens on nothing and starts nothing yet. Call it where the event loop runs.

        The arguments are those of `dubbo_mesh.Server`. What differs here:

        Args:
            *servicers: instances of generated servicers, async or sync.
            address: see `dubbo_mesh.Server`.
            port: see `dubbo_mesh.Server`.
            credentials: see `dubbo_mesh.Server`.
            options: see `dubbo_mesh.Server`.
            interceptors: those of `grpc.aio`.
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
            TypeError: a servicer is not an instance of a generated one.
        """
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
        self._handlers = Handlers(traffic, asynchronous=True, strict_routing=strict_routing)
        own(self, self._handlers)
        board = board_of(self, serving=False)
        workers = Workers("dubbo-mesh-handler", max_workers)
        self._server = grpc.aio.server(
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

    async def start(self) -> None:
        """Comes up, and returns when the server serves; see `dubbo_mesh.Server.start` for what it raises."""
        self._life.begin()
        await self._life.come_up()

    async def drain(self, *, wait: bool = True) -> None:
        """Goes down as gently as possible, within the seconds of `drain` and `grace` together.

        Args:
            wait: whether to return only when the server has stopped. Handlers and hooks must not wait.
        """
        self._life.drain()
        if wait:
            await self.wait()

    async def stop(self, grace: float | None) -> None:
        """Goes down without waiting for traffic to go elsewhere, as `grpc.aio.Server.stop` does.

        Args:
            grace: seconds that running calls get to end, whatever the constructor's `grace` is; None cuts
                them off.
        """
        self._life.stop(grace or 0.0)
        await self.wait()

    async def wait(self, timeout: float | None = None) -> bool:
        """Waits, for `timeout` seconds at most, until the server has stopped; returns whether it has."""
        return await _stopped(self._life, timeout)

    async def wait_for_termination(self, timeout: float | None = None) -> bool:
        """The same as in `grpc.aio.Server`: returns whether the time was over first."""
        return not await self.wait(timeout)

    async def run(self) -> None:
        """Starts, and returns when SIGTERM, SIGINT, `drain` or cancellation have made the server stop.

        The signals reach all servers of the process. A second one stops them at once, and ends the process if
        `on_start` hangs; one that comes within half a second of the first does not count. Signals are heard
        on the main thread only, and are handled as before when this returns.
        """
        life, loop = self._life, asyncio.get_running_loop()

        def wake() -> None:
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(_do_nothing)

        with process.running(life, wake, life.is_starting):
            if not life.leaving:  # no signal came first
                await self.start()
            try:
                await self.wait()
            except asyncio.CancelledError:
                await self.drain()
                raise

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.drain()


async def serve(*servicers: object, **options: Unpack[AsyncServerOptions]) -> None:
    """Serves until SIGTERM, SIGINT or cancellation, then drains, and returns when all is done.

    Takes care of health checks, Kubernetes probes and the sidecar, see `dubbo_mesh.Server`; each step down is
    logged with its time. A second signal cuts everything short.

    Args:
        *servicers: instances of generated servicers, async or sync.
        **options: the keyword arguments of `Server`.

    Raises:
        ConfigurationError: a setting is wrong, or a variable of the environment; the message names it.
        OSError: an address cannot be listened on.
        SidecarError: `require_sidecar` is set and the sidecar did not become ready in time.
    """
    await Server(*servicers, **options).run()


class _Core:
    """grpc's server on an event loop, as the lifecycle needs it."""

    def __init__(
        self,
        owner: Server,
        server: grpc.aio.Server,
        workers: Workers,
        on_start: Hook | None,
        on_drain: Hook | None,
    ) -> None:
        self.owner: Callable[[], Server | None] = weakref.ref(owner)
        self.loop: asyncio.AbstractEventLoop | None = _running_loop()
        self._server = server
        self._workers = workers
        self._on_start = on_start
        self._on_drain = on_drain
        self._watch: asyncio.Task[None] | None = None

    async def start(self, ended: Callable[[], None]) -> None:
        self.loop = asyncio.get_running_loop()
        await self._server.start()
        self._watch = self.loop.create_task(_until_cancelled(ended))

    async def run_blocking(self, work: Callable[[], None]) -> None:
        await _on_thread(work)

    async def wait_stopped(self, life: Stoppable) -> None:
        await _stopped(life, None)

    async def run_on_start(self) -> None:
        await _call(self._on_start, self.owner())

    def run_on_drain(self) -> None:
        if self._on_drain is not None and self.loop is not None:
            asyncio.run_coroutine_threadsafe(_call(self._on_drain, self.owner()), self.loop).result()

    def stop(self, grace: float) -> Callable[[float], bool]:
        return self._on_loop(self._server.stop(grace))

    def discard(self) -> Callable[[float], bool]:
        async def start_and_stop() -> None:
            await self._server.start()
            await self._server.stop(0.0)

        return self._on_loop(start_and_stop())

    def close(self) -> None:
        self._workers.shutdown()
        watch = self._watch
        if watch is not None and self.loop is not None:
            with suppress(RuntimeError):  # the loop is closed, and the task with it
                self.loop.call_soon_threadsafe(watch.cancel, _NOT_THE_END)

    def _on_loop(self, stopping: Coroutine[Any, Any, None]) -> Callable[[float], bool]:
        """Has the event loop, from another thread, run what stops the server."""
        loop = self.loop
        if loop is None or loop.is_closed():
            stopping.close()
            return lambda _: True
        future = asyncio.run_coroutine_threadsafe(stopping, loop)

        def wait(timeout: float) -> bool:
            try:
                future.result(timeout)
            except TimeoutError:
                return loop.is_closed()
            except CancelledError:  # the loop ends, and all its tasks with it
                return True
            return True

        return wait


_NOT_THE_END = "the server has stopped"
"""The message of a cancellation that is not that of a loop which cancels all its tasks."""


async def _until_cancelled(ended: Callable[[], None]) -> None:
    """Calls `ended` when the event loop cancels all its tasks, as `asyncio.run` does in the end.

    grpc's own task goes with them, so that a server could only wait in vain for its calls to end.
    """
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError as cancelled:
        if cancelled.args != (_NOT_THE_END,):
            ended()
        raise


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _do_nothing() -> None:
    """Wakes an event loop."""


async def _stopped(life: Stoppable, timeout: float | None) -> bool:
    if life.stopped.is_set():
        return True
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()

    def wake() -> None:
        loop.call_soon_threadsafe(stopped.set)

    forget = life.when_stopped(wake)
    try:
        await asyncio.wait_for(stopped.wait(), timeout)
    except TimeoutError:
        return False
    finally:
        forget()
    return True


async def _call(hook: Hook | None, server: Server | None) -> None:
    if hook is not None and server is not None:
        result = hook(server)
        if inspect.isawaitable(result):
            await result


async def _on_thread(function: Callable[[], None]) -> None:
    """Runs `function` on a thread of its own: the event loop's executor may be full of the user's work."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def finish(error: BaseException | None) -> None:
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
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(finish, trouble)

    threading.Thread(target=run, name="dubbo-mesh-start", daemon=True).start()
    await done
