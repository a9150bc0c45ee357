"""What the application tells its sidecar, for asyncio. `admin.py` is the twin."""

from __future__ import annotations

import asyncio
import time

from .endpoint import (
    DRAIN,
    EXIT,
    FAILING,
    HEALTHY,
    POLL,
    READY,
    AdminAddress,
    Answer,
    SidecarError,
    reason,
)


class Sidecar:
    """The Envoy beside this process, by its admin endpoint. For one event loop, which it never blocks.

    Every call is one request on a connection of its own, answered within `timeout`.
    """

    def __init__(self, admin: str | None = None, *, timeout: float = 1.0) -> None:
        """Connects to nothing yet.

        Args:
            admin: `host:port` of the admin endpoint; by default what `DUBBO_MESH_ADMIN` says, and without it
                `127.0.0.1:15000`, which is Istio's.
            timeout: seconds that one request may take in all.

        Raises:
            ValueError: `admin` is malformed, or the environment says that it is off.
        """
        self._address = AdminAddress.of(admin)
        self._timeout = timeout

    def __repr__(self) -> str:
        return f"aio.Sidecar(admin={self.admin!r})"

    @property
    def admin(self) -> str:
        """`host:port` of the admin endpoint."""
        return str(self._address)

    async def ready(self) -> bool:
        """Whether the sidecar works now (`GET /ready`); False where nothing answers.

        After `failing` Envoy answers 503 `DRAINING`; it works all the same, so that counts as ready.
        """
        try:
            return (await _ask(self._address, self._timeout, *READY)).ready
        except SidecarError:
            return False

    async def wait_ready(self, timeout: float = 60.0) -> bool:
        """Waits until the sidecar takes traffic, `timeout` seconds at most; returns whether it does."""
        deadline = time.monotonic() + timeout
        while not await self.ready():
            if time.monotonic() + POLL > deadline:
                return False
            await asyncio.sleep(POLL)
        return True

    async def healthy(self) -> None:
        """Says that the application takes traffic: `POST /healthcheck/ok`.

        Raises:
            SidecarError: the sidecar cannot be reached, or refuses.
        """
        await _tell(self._address, self._timeout, *HEALTHY)

    async def failing(self) -> None:
        """Says that the application takes no more traffic: `POST /healthcheck/fail`.

        From then on each response through the sidecar's `health_check` filter carries
        `x-envoy-immediate-health-check-fail`.

        Raises:
            SidecarError: the sidecar cannot be reached, or refuses.
        """
        await _tell(self._address, self._timeout, *FAILING)

    async def drain(self) -> None:
        """Drains the sidecar's inbound listeners: `POST /drain_listeners?inboundonly&graceful&skip_exit`.

        Raises:
            SidecarError: the sidecar cannot be reached, or refuses.
        """
        await _tell(self._address, self._timeout, *DRAIN)

    async def exit(self) -> None:
        """Has the sidecar exit, so that a Job's pod can complete: `POST /quitquitquit`.

        With Istio's admin address (port 15000) pilot-agent is asked first, at port 15020.

        Raises:
            SidecarError: the sidecar cannot be reached, or refuses.
        """
        agent = self._address.agent
        if agent is not None:
            try:
                await _tell(agent, self._timeout, *EXIT)
            except SidecarError:
                pass  # no Istio, but an Envoy at the same port: asked next
            else:
                return
        await _tell(self._address, self._timeout, *EXIT)


async def _tell(address: AdminAddress, timeout: float, method: str, path: str) -> None:
    status = (await _ask(address, timeout, method, path)).status
    if status != 200:
        raise address.error(path, f"HTTP status {status}" if status else "the answer is not HTTP")


async def _ask(address: AdminAddress, timeout: float, method: str, path: str) -> Answer:
    answer = Answer()
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection(address.host, address.port)
            writer.write(address.request(method, path))
            while answer.take(await reader.read(4096)):
                pass
    except TimeoutError as error:
        raise address.error(path, "timed out") from error
    except (OSError, UnicodeError) as error:
        raise address.error(path, reason(error)) from error
    finally:
        if writer is not None:
            writer.close()
    return answer
