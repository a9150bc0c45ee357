"""How a subject is dialled, what decided that, and whether it works."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ..._addressing.dialing import Backup, Dial, dial, ways
from ..._addressing.environment import Environment
from ..._contract.errors import ConfigurationError
from ..budget import Budget
from ..envoy.entering.listeners import Connection, Manager
from ..finding import Finding, problem
from ..proxyless.bootstrap import Bootstrap, read_bootstrap
from ..proxyless.client import check_control_plane
from .addresses import host_and_port, is_ip
from .reaching import Reached, Reaching
from .resolv_conf import ResolvConf
from .subjects import Subject
from .surroundings import check_names, who_decided


@dataclass(frozen=True, slots=True)
class Dialled:
    """A subject, and how it is dialled.

    Attributes:
        subject: what is called.
        dial: what grpc is given.
        authority: the `:authority` of its calls.
        connection: the connection that its calls use. Host and source are known once it has been tried.
        control_plane: in proxyless mode, what the control plane says of routes; None if it is not known.
    """

    subject: Subject
    dial: Dial
    authority: str
    connection: Connection
    control_plane: Manager | None = None


def dialled(subject: Subject, environment: Environment) -> Dialled:
    """How a subject is dialled.

    Raises:
        ConfigurationError: the mode has no address for it.
    """
    way = dial(subject.target, environment)
    default = way.address if environment.mode == "direct" else subject.target.authority
    authority = dict(way.options).get("grpc.default_authority", default)
    _, port = host_and_port(way.address)
    intercepted = environment.mode == "sidecar" and environment.egress is None
    return Dialled(subject, way, authority, Connection(None, port, intercepted=intercepted))


def source_of(host: str, port: int) -> str | None:
    """The address that a connection to an address would come from; None if there is no way there.

    Nothing is sent: connecting a datagram socket only chooses the route.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as chosen:
            chosen.connect((host, port))
            return str(chosen.getsockname()[0])
    except OSError:
        return None


def presumed_source(environment: Environment) -> str | None:
    """The address that calls come from, where nothing can be tried: by what the environment says alone.

    A sidecar's own address is one of the pod's, and so is the source of a connection to it. Connections that
    are intercepted come from the pod's address.
    """
    if environment.egress is None:
        return os.environ.get("POD_IP") or None
    host, _ = host_and_port(environment.egress)
    return host if is_ip(host) else None


class Dialling:
    """Dials what the command line names. An address that several subjects share is tried once.

    Args:
        environment: the mode and its addresses.
        budget: the time for all checks.
        offline: whether nothing may be asked, as the sidecar's configuration is that of another host.
    """

    def __init__(self, environment: Environment, budget: Budget, *, offline: bool) -> None:
        self._environment = environment
        self._budget = budget
        self._offline = offline
        self._bootstrap: Bootstrap | Finding | None = None
        self._resolver = ResolvConf.read()
        self._reaching = Reaching(environment, budget, self._resolver)
        self._reached: dict[str, tuple[str, Reached]] = {}
        self._asked: set[str] = set()
        self._managers: dict[str, Manager] = {}

    def check(self, subject: Subject) -> Iterator[Finding | Dialled]:
        """Reports how a subject is dialled, and whether that works; yields the way as well, if any."""
        try:
            found = dialled(subject, self._environment)
            _, backup = ways(subject.target, self._environment, 1)
        except ConfigurationError as error:
            yield problem("DM105", f"{subject.name}: {error}", subject=subject.name)
            return
        yield Finding("dial", "ok", f"{subject.name}: {self._why(found, backup)}", subject=subject.name)
        if self._offline:
            why = f"{subject.name}: nothing is dialled, as the sidecar's configuration is from a file"
            yield Finding("reachable", "skipped", why, subject=subject.name)
            yield self._presumed(found)
            return
        yield from check_names(subject, self._environment, self._resolver)
        if found.dial.way == "proxyless":
            for said in self._ask_control_plane(found.dial, subject):
                if isinstance(said, Manager):
                    self._managers[found.dial.address] = said
                else:
                    yield said
            yield replace(found, control_plane=self._managers.get(found.dial.address))
            return
        reached, findings = self._reach(found.dial, subject.name, backup)
        yield from findings
        if backup is not None and backup.dial.way == "proxyless":
            asked = self._ask_control_plane(backup.dial, subject)
            yield from (said for said in asked if isinstance(said, Finding))
        yield replace(found, connection=replace(found.connection, host=reached.host, source=reached.source))

    def _presumed(self, found: Dialled) -> Dialled:
        """The way without having tried it."""
        host = None
        if self._environment.egress is not None:
            host, _ = host_and_port(self._environment.egress)
        connection = replace(
            found.connection,
            host=host if host is not None and is_ip(host) else None,
            source=presumed_source(self._environment),
        )
        return replace(found, connection=connection)

    def _why(self, found: Dialled, backup: Backup | None) -> str:
        """The address, and what decided it."""
        said = [f"{found.dial.address}, :authority {found.authority}; {found.dial.why}"]
        if self._environment.mode != "direct":
            said.extend(who_decided(found.subject))
        if backup is not None:
            said.append(f"when the sidecar is away for {backup.after:g} s, {backup.dial.address}")
        return "; ".join(said)

    def _ask_control_plane(self, way: Dial, subject: Subject) -> Iterator[Finding | Manager]:
        if self._bootstrap is None:
            self._bootstrap = read_bootstrap()
            if isinstance(self._bootstrap, Finding):
                yield self._bootstrap
            else:
                yield Finding("proxyless", "ok", self._bootstrap.summary)
        if isinstance(self._bootstrap, Bootstrap) and way.address not in self._asked:
            self._asked.add(way.address)
            authority = subject.target.authority
            yield from check_control_plane(self._bootstrap, way, authority, subject.name, self._budget)

    def _reach(self, way: Dial, name: str, backup: Backup | None) -> tuple[Reached, Sequence[Finding]]:
        """Tries an address, or knows what became of that; and what is new to report."""
        known = self._reached.get(way.address)
        if known is not None:
            first, reached = known
            seen = f"{name}: its address was tried for {first} already"
            return reached, () if reached.ok else (Finding("reachable", "skipped", seen, subject=name),)
        reached = self._reaching.reach(way, name)
        self._reached[way.address] = name, reached
        if reached.ok or backup is None or not reached.findings:
            return reached, reached.findings
        *before, failure = reached.findings
        if failure.status != "failed":
            return reached, reached.findings
        # Calls do not fail while the fallback works.
        seen = f"{failure.finding}; calls take the fallback, {backup.dial.address}"
        fallen_back = problem("DM122", seen, remedy=failure.remedy, subject=name)
        if backup.dial.way == "proxyless":
            return reached, (*before, fallen_back)
        other, findings = self._reach(backup.dial, name, None)
        return reached, (*before, fallen_back if other.ok else failure, *findings)
