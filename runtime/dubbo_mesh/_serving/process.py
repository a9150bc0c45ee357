"""What a process has one of, however many servers it runs: signals, a sidecar's state, a port for probes.

Servers join when they start and leave when they have stopped.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar

from .._sidecar.admin import Sidecar
from .._sidecar.link import SidecarLink
from .probes import Probes
from .signals import StopSignals


class Member(Protocol):
    """A server, as the others see it."""

    def is_live(self) -> bool:
        """Whether the process is to be left running."""
        ...

    def is_ready(self) -> bool:
        """Whether it is to get traffic."""
        ...

    def is_started(self) -> bool:
        """Whether it has come up."""
        ...

    def is_stopped(self) -> bool:
        """Whether it has stopped."""
        ...

    def drain(self) -> None:
        """Begins to drain; waits for nothing."""

    def stop(self, grace: float) -> None:
        """Begins to stop, letting calls run for `grace` seconds; waits for nothing."""


class SharedSidecar:
    """One sidecar and the servers beside it: healthy while any serves, failing when the last has left."""

    def __init__(self, sidecar: Sidecar) -> None:
        self.link = SidecarLink(sidecar)
        self.is_to_exit = False
        """Whether the sidecar is told to exit after the last server has left: one of them asked for it."""
        self._lock = threading.Lock()
        self._serving: set[Member] = set()

    def serves(self, member: Member) -> None:
        """Notes that a server takes traffic, and tells the sidecar."""
        with self._lock:
            self._serving.add(member)
            self.link.tell(healthy=True)

    def leaves(self, member: Member) -> bool:
        """Notes that a server takes no more traffic.

        Returns:
            Whether it was the last: then the sidecar is told that it is failing.
        """
        with self._lock:
            self._serving.discard(member)
            if self._serving:
                return False
            self.link.tell(healthy=False)
            return True


class SharedProbes:
    """One port on which Kubernetes probes are answered for all servers that share it: true if all are."""

    def __init__(self, address: str) -> None:
        self._members: list[Member] = []
        self.asked = False
        """Whether anyone has asked for readiness."""
        self._probes = Probes(
            address,
            {
                "/live": lambda: self._all(lambda member: member.is_live()),
                "/ready": self._ready,
                "/startup": lambda: self._all(lambda member: member.is_started()),
            },
        )

    @property
    def port(self) -> int:
        """The port they are answered on."""
        return self._probes.port

    def add(self, member: Member) -> None:
        """Has the answers depend on a server too."""
        self._members.append(member)

    def remove(self, member: Member) -> None:
        """Has the answers depend on a server no longer."""
        self._members.remove(member)

    def close(self) -> None:
        """Answers no more."""
        self._probes.close()

    def _ready(self) -> bool:
        self.asked = True
        return self._all(lambda member: member.is_ready())

    def _all(self, question: Callable[[Member], bool]) -> bool:
        members = tuple(self._members)
        return bool(members) and all(map(question, members))


Thing = TypeVar("Thing")


class _Shared(Generic[Thing]):
    """Things by key, each made for the first server that needs it and closed after the last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._things: dict[object, tuple[Thing, set[Member]]] = {}

    def join(self, key: object, member: Member, make: Callable[[], Thing]) -> Thing:
        with self._lock:
            if key not in self._things:
                self._things[key] = (make(), set())
            thing, members = self._things[key]
            members.add(member)
            return thing

    def leave(self, thing: Thing, member: Member) -> bool:
        """Lets go of a thing; returns whether it was the last server to do so, which has to close it."""
        with self._lock:
            key, members = next(
                (key, members) for key, (each, members) in self._things.items() if each is thing
            )
            members.discard(member)
            if members:
                return False
            del self._things[key]
            return True


class _Process:
    """This process. There is one, `process`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._servers: set[Member] = set()
        self._sidecars = _Shared[SharedSidecar]()
        self._probes = _Shared[SharedProbes]()
        self._signals = StopSignals(self.drain, self.stop, self._all_stopped)

    def join(self, member: Member) -> None:
        """Has signals reach a server, from when it starts or is run."""
        with self._lock:
            self._servers.add(member)

    def leave(self, member: Member) -> None:
        """Has signals reach a server no longer: it has stopped."""
        with self._lock:
            self._servers.discard(member)

    def drain(self) -> None:
        """Begins to drain all servers."""
        for member in self._members():
            member.drain()

    def stop(self) -> None:
        """Begins to stop all servers, and cuts off their calls."""
        for member in self._members():
            member.stop(0.0)

    @contextmanager
    def running(
        self, member: Member, wake: Callable[[], None], starting: Callable[[], bool]
    ) -> Generator[None, None, None]:
        """Has SIGTERM and SIGINT drain all servers while one of them is run; see `StopSignals.heard`."""
        self.join(member)
        with self._signals.heard(wake, starting):
            yield

    def join_sidecar(self, sidecar: Sidecar, member: Member) -> SharedSidecar:
        """The sidecar, shared with the other servers that have it at the same address.

        Raises:
            RuntimeError: no thread can be started.
        """
        return self._sidecars.join(sidecar.admin, member, lambda: SharedSidecar(sidecar))

    def leave_sidecar(self, shared: SharedSidecar, member: Member) -> bool:
        """Lets go of a sidecar; returns whether no other server has it, so that it has to be closed."""
        return self._sidecars.leave(shared, member)

    def join_probes(self, address: str, member: Member) -> SharedProbes:
        """The port for probes, shared with the other servers that are to be probed at the same address.

        Raises:
            OSError: the address cannot be listened on.
        """
        # Port 0 is any free one: everyone gets their own.
        key = (address, member) if address.endswith(":0") else address
        shared = self._probes.join(key, member, lambda: SharedProbes(address))
        shared.add(member)
        return shared

    def leave_probes(self, shared: SharedProbes, member: Member) -> None:
        """Lets go of a port for probes."""
        shared.remove(member)
        if self._probes.leave(shared, member):
            shared.close()

    def _members(self) -> tuple[Member, ...]:
        with self._lock:
            return tuple(self._servers)

    def _all_stopped(self) -> bool:
        return all(member.is_stopped() for member in self._members())


process = _Process()
