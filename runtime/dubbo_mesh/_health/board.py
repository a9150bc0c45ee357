"""Which services a server has, and whether each of them takes calls.

A server has one board. Services come onto it as they are added to the server. On `dubbo_mesh.Server` its life
decides whether they serve; on a server that users start themselves they serve from the beginning.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .._contract.logs import logger

if TYPE_CHECKING:
    from .._contract.service import Service

WHOLE_SERVER = ""
"""The name under which health checkers ask for the server as a whole."""

LIVENESS = "liveness"
"""The name for Kubernetes' `grpc` liveness probes: SERVING as long as the process can answer at all.

All other names are NOT_SERVING while the server starts or drains, which is no reason to restart a pod. It is
no service: it cannot be taken out, no health check is about it, and List does not name it.
"""

HEALTH = "grpc.health.v1.Health"
"""The full name of gRPC's health service."""

_log = logger(__name__)


class Board:
    """The health of one server. Safe to use from several threads.

    A service serves while the server does, unless its owner has taken it or the whole server out, or a health
    check of it or of the whole server fails.

    Each version and group of a service has a status of its own, reported under its Dubbo service key,
    `[group/]interface[:version]`. The full name in protobuf stands for all of them: it serves while any does.
    """

    def __init__(self, *, serving: bool) -> None:
        """Begins without services.

        Args:
            serving: whether the server takes calls until `serve` says otherwise.
        """
        self._lock = threading.Lock()
        self._services: dict[str, Service] = {}  # by service key
        self._keys: dict[str, tuple[str, ...]] = {WHOLE_SERVER: (WHOLE_SERVER,)}  # by any reported name
        self._serving = serving
        self._taken_out: set[str] = set()
        self._failing: dict[object, tuple[str, ...]] = {}  # health check -> keys it is about
        self.asked = False
        """Whether anyone has asked for the health of the server or of a service."""
        self._closed = False
        self._watchers: set[Callable[[], None]] = set()

    @property
    def services(self) -> tuple[Service, ...]:
        """The services, in the order they were added."""
        with self._lock:
            return tuple(self._services.values())

    @property
    def closed(self) -> bool:
        """Whether watches are to end."""
        return self._closed

    def add(self, service: Service) -> None:
        """Reports `service`, under its full name and under its service key."""
        name, key = service.name, service.key
        with self._lock:
            self._services[key] = service
            self._keys.setdefault(key, (key,))
            versions = [other.key for other in self._services.values() if other.name == name]
            self._keys[name] = tuple(versions)
        self._tell()

    def serve(self, serving: bool) -> None:
        """Sets whether the server as a whole takes calls, at this point of its life."""
        with self._lock:
            self._serving = serving
        self._tell()

    def set_serving(self, service: str | Service, serving: bool) -> None:
        """Takes a service out, or back in, on behalf of its owner.

        Args:
            service: a service key, or a full name for all versions and groups of a service; "" for the whole
                server. A `Service` means that version and group only.
            serving: whether it takes calls, as far as its owner is concerned.

        Raises:
            KeyError: there is no such service on this server.
        """
        with self._lock:
            keys = self._keys_of(service)
            if serving:
                self._taken_out.difference_update(keys)
            else:
                self._taken_out.update(keys)
        self._tell()

    def note(self, check: object, service: str, *, passed: bool) -> None:
        """Notes what a health check of `service` found.

        Raises:
            KeyError: there is no such service on this server.
        """
        with self._lock:
            if passed is (check not in self._failing):
                return
            if passed:
                del self._failing[check]
            else:
                self._failing[check] = self._keys_of(service)
        self._tell()

    def is_serving(self, service: str | Service) -> bool | None:
        """Whether `service`, by any of the names it is reported under, takes calls; None if it is unknown."""
        with self._lock:
            return self._is_serving(service)

    def ask(self, service: str) -> bool | None:
        """Is `is_serving` for those who ask from outside; `asked` keeps in mind that somebody does."""
        self.asked = True
        return self.is_serving(service)

    def has(self, service: str) -> bool:
        """Whether `service` is the whole server or one of its services: what can be taken out or checked."""
        with self._lock:
            return service in self._keys

    def snapshot(self) -> dict[str, bool]:
        """Whether each service takes calls, by all the names that are reported, for those who ask."""
        self.asked = True
        with self._lock:
            return {name: bool(self._is_serving(name)) for name in self._keys}

    def close(self) -> None:
        """Ends all watches, so that they do not hold up the server's graceful stop."""
        self._closed = True
        self._tell()

    @contextmanager
    def watched(self, changed: Callable[[], None]) -> Generator[None, None, None]:
        """Calls `changed` whenever something may have changed, on any thread; it must not block."""
        self.watch(changed)
        try:
            yield
        finally:
            self.unwatch(changed)

    def watch(self, changed: Callable[[], None]) -> None:
        """Calls `changed` from now on, as `watched` does."""
        with self._lock:
            self._watchers.add(changed)

    def unwatch(self, changed: Callable[[], None]) -> None:
        """No longer calls `changed`."""
        with self._lock:
            self._watchers.discard(changed)

    def _keys_of(self, service: str | Service) -> tuple[str, ...]:
        if isinstance(service, str):
            return self._keys[service]
        return (self._services[service.key].key,)

    def _is_serving(self, service: str | Service) -> bool | None:
        try:
            keys = self._keys_of(service)
        except KeyError:
            return True if service == LIVENESS else None
        out = self._taken_out.union(*self._failing.values())
        return self._serving and WHOLE_SERVER not in out and not out.issuperset(keys)

    def _tell(self) -> None:
        with self._lock:
            watchers = tuple(self._watchers)
        for changed in watchers:
            try:
                changed()
            except Exception:  # noqa: BLE001 - a watcher that fails holds up neither others nor the server
                _log.warning("a watcher could not be told of a change", exc_info=True)
