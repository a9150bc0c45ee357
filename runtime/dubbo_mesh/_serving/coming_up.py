"""The steps up: what has to happen before a server may serve. Sync and async servers share them."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable

from .._contract.logs import logger
from .._health.checks import Checker
from .._sidecar.endpoint import SidecarError
from .parts import Parts
from .process import Member, process

_log = logger(__name__)

_LOOK = 1.0
"""Seconds to find out whether there is a sidecar, where nothing but a default tells of one."""


class ComingUp:
    """One server's way up, as far as nobody interrupts it.

    Args:
        parts: of the server.
        member: the server, as the process knows it.
        interrupted: whether the server has been told to drain or stop meanwhile.
    """

    def __init__(self, parts: Parts, member: Member, interrupted: Callable[[], bool]) -> None:
        self._parts = parts
        self._member = member
        self._interrupted = interrupted

    async def acquire(self) -> None:
        """Opens what the server needs, as long as nobody stops it."""
        parts = self._parts
        process.join(self._member)
        if parts.reflection:
            from .reflection import reflect  # here, since few use it

            reflect(parts.core.owner(), parts.board)
        parts.listening.listen(parts.plan.listen, parts.board.services)
        if self._interrupted():
            return
        self._answer_probes()
        if parts.plan.sidecar is not None:
            parts.sidecar = process.join_sidecar(parts.plan.sidecar, self._member)
        if self._interrupted():
            return
        parts.core_is_started = True
        await parts.core.start(ended=lambda: self._member.stop(0.0))

    async def prepare(self) -> None:
        """Waits for the sidecar, runs the hook and then the health checks, as long as nobody stops it."""
        if self._parts.sidecar is not None and not self._interrupted():
            await self._parts.core.run_blocking(self._await_sidecar)
        if not self._interrupted():
            await self._parts.core.run_on_start()
        if self._parts.plan.health_checks and not self._interrupted():
            await self._parts.core.run_blocking(self._check_health)

    def _answer_probes(self) -> None:
        address = self._parts.plan.probes
        if address is None:
            return
        try:
            self._parts.probes = process.join_probes(address, self._member)
        except OSError as error:
            trouble = f"cannot listen on {address} for Kubernetes probes: {error.strerror or error}"
            if self._parts.plan.require_probes:
                raise OSError(
                    error.errno or errno.EADDRNOTAVAIL, f"{trouble}; set DUBBO_MESH_PROBES or probes="
                ) from error
            _log.warning(
                "%s; that is only the default address, so the server goes on without probes", trouble
            )

    def _await_sidecar(self) -> None:
        shared, timeout, began = self._parts.sidecar, self._parts.plan.sidecar_timeout, time.monotonic()
        assert shared is not None
        link, admin = shared.link, shared.link.sidecar.admin
        if not self._parts.plan.expect_sidecar:
            # Only a default tells of a sidecar. One that comes later is told when it comes.
            link.wait_looked(_LOOK)
            if not link.present:
                _log.info("no sidecar at %s: starting without it", admin)
                return
        if link.wait_ready(timeout, self._interrupted):
            _log.info("sidecar at %s is ready after %.3f s", admin, time.monotonic() - began)
        elif self._interrupted():
            return
        elif self._parts.plan.require_sidecar:
            raise SidecarError(
                f"sidecar at {admin} was not ready within {timeout:g} s and require_sidecar is set; "
                f"set DUBBO_MESH_ADMIN to where Envoy's admin endpoint listens"
            )
        elif timeout > 0:
            waited = time.monotonic() - began
            _log.warning("sidecar at %s is not ready after %.3f s: starting without it", admin, waited)

    def _check_health(self) -> None:
        self._parts.checker = Checker(
            self._parts.plan.health_checks, self._parts.board, self._parts.core.loop
        )
        self._parts.checker.wait_checked()
