"""Opens a channel as a stub would in proxyless mode, and reports what grpc's xDS client makes of it."""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Iterator, Sequence
from typing import Self, TypeAlias

import grpc

from ..._addressing.dialing import Dial
from ..._calling.channels import open_dialled
from ..._calling.watch import is_watched
from ..budget import Budget
from ..envoy.entering.listeners import Manager
from ..envoy.values import EMPTY, mapping, text
from ..finding import Finding, problem
from ..wording import first_of
from .bootstrap import Bootstrap
from .client_status import Kind, Resource, resources_of
from .discovery import Answer, ask
from .routes import manager_of, routes_of

_AT_FIRST = 0.5  # seconds until the control plane is asked why it takes so long
_AT_MOST = 3.0  # seconds that an answer may take to arrive
_WATCHED_AT_MOST = 1.0  # seconds; grpc stops watching after 0.2 s
_HEALTH_CHECK = "/grpc.health.v1.Health/Check"
_SHOWN = 4  # endpoints

_Connectivity: TypeAlias = grpc.ChannelConnectivity
_DECIDED = (_Connectivity.READY, _Connectivity.TRANSIENT_FAILURE)

_REMEDIES: dict[Kind, str] = {
    "Listener": "is there a Service of that name and port in that namespace, and may this node see it?",
    "RouteConfiguration": "look at the control plane's log: it named these routes in the listener",
    "Cluster": "is there a DestinationRule with the subset that the route names?",
    "ClusterLoadAssignment": "is there a Service with that port, and a pod behind it?",
}


def check_control_plane(
    bootstrap: Bootstrap, dial: Dial, authority: str, name: str, budget: Budget
) -> Iterator[Finding | Manager]:
    """Reports what the control plane says of an address, and whether calls could be made.

    Yields what it says of their routes as well, as soon as that is known.

    Args:
        bootstrap: where the control plane is.
        dial: how `name` is dialled.
        authority: of its calls.
        name: what is called.
        budget: the time for all checks.
    """
    with _Channel(dial, authority) as channel:
        channel.wait(budget.part(_AT_FIRST))
        awaited = channel.awaited()
        if awaited is not None:
            waits = _why_it_waits(bootstrap, awaited, channel.details(), name, budget)
            if waits is not None:
                yield waits
                return
            channel.wait(budget.part(_AT_MOST))
        yield from _judged(channel, name)
        manager = _manager(channel.resources(), authority)
        if manager is not None:
            yield manager


def _manager(resources: Sequence[Resource], authority: str) -> Manager | None:
    """The connection manager, with its routes, that grpc was given; None if it has none."""
    listener = next((each for each in resources if each.kind == "Listener"), None)
    routes = next((each for each in resources if each.kind == "RouteConfiguration"), None)
    try:
        message = EMPTY if listener is None else manager_of(listener.content)
        own = mapping(message, "route_config") if routes is None else routes_of(routes.content)
    except ValueError:
        return None
    return Manager(authority, own, text(own, "name"), message) if own else None


class _Channel:
    """A channel as a stub has it, and the xDS client behind it.

    Attributes:
        state: the last that is known.
    """

    def __init__(self, dial: Dial, authority: str) -> None:
        self._channel = open_dialled(dial)
        self._authority = authority
        self._states: queue.SimpleQueue[_Connectivity] = queue.SimpleQueue()
        self.state = _Connectivity.IDLE

    def __enter__(self) -> Self:
        self._channel.subscribe(self._states.put, try_to_connect=True)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._channel.unsubscribe(self._states.put)
        # Closed here and not in the background: grpc's xDS client lives as long as any channel.
        ends = time.monotonic() + _WATCHED_AT_MOST
        while is_watched(self._channel) and time.monotonic() < ends:
            time.sleep(0.01)
        self._channel.close()

    def wait(self, budget: Budget) -> None:
        """Waits until it is decided whether calls can be made, as long as the budget lasts."""
        try:
            while self.state not in _DECIDED:
                self.state = self._states.get(timeout=budget.left())
        except (TimeoutError, queue.Empty):
            pass

    def details(self) -> str:
        """Why it fails; empty if it does not. It says so to calls, which it does not send.

        If it has recovered since, the provider is asked for its health.
        """
        if self.state is not _Connectivity.TRANSIENT_FAILURE:
            return ""
        try:
            self._channel.unary_unary(_HEALTH_CHECK, bytes, bytes)(b"", timeout=0.5)
        except grpc.RpcError as error:
            return error.details() or ""
        return ""

    def resources(self) -> Sequence[Resource]:
        """What the client has asked the control plane for."""
        return resources_of(self._authority)

    def awaited(self) -> Resource | None:
        """What it has asked for and waits for; None if it can make calls without it, or never will."""
        resources = self.resources()
        if self.state is _Connectivity.READY or any(each.state == "refused" for each in resources):
            return None
        return next((each for each in resources if each.state == "requested"), None)


def _judged(channel: _Channel, name: str) -> Iterator[Finding]:
    resources, state = channel.resources(), channel.state
    refused = [each for each in resources if each.state == "refused"]
    for each in refused:
        seen = f"{name}: grpc rejects the {each.kind} {each.name}: {each.error}"
        yield problem("DM135", seen, subject=name)
    missing = [each for each in resources if each.state in ("does not exist", "timeout", "error")]
    for each in missing:
        yield _unknown(each, name)
    if refused or missing:
        return
    if state is _Connectivity.TRANSIENT_FAILURE:
        yield _why_it_fails(resources, channel.details(), name)
    elif state is not _Connectivity.READY and not any(each.endpoints for each in resources):
        waits = f"{name}: the channel is still {state.name}: {_summary(resources)}"
        yield Finding("proxyless", "skipped", waits, subject=name)
    else:
        yield Finding("proxyless", "ok", f"{name}: {_summary(resources)}", subject=name)


def _unknown(resource: Resource, name: str) -> Finding:
    seen = f"{name}: the control plane does not know the {resource.kind} {resource.name}"
    return problem("DM134", seen, remedy=_REMEDIES[resource.kind], subject=name)


def _why_it_waits(
    bootstrap: Bootstrap, awaited: Resource, details: str, name: str, budget: Budget
) -> Finding | None:
    """Why grpc has not been told of a resource; None if it will be, or if that cannot be found out."""
    answer = ask(bootstrap, awaited.kind, awaited.name, budget.left(2.0))
    if answer is None:
        return problem("DM132", f"{name}: {details}", remedy=_proxy(), subject=name) if details else None
    if answer.outcome == "has it":
        return None
    if answer.outcome == "has it not":
        return _unknown(awaited, name)
    if answer.outcome == "failed":
        return _refusal(answer, bootstrap.server, name)
    seen = f"{name}: {bootstrap.server} accepts connections, and does not answer"
    return problem("DM139", seen, subject=name)


def _refusal(answer: Answer, server: str, name: str) -> Finding:
    if answer.code is grpc.StatusCode.UNAVAILABLE:
        seen = f"{name}: the control plane {server}: {answer.details}"
        return problem("DM132", seen, remedy=_proxy(), subject=name)
    code = "" if answer.code is None else f"{answer.code.name}: "
    return problem("DM133", f"{name}: the control plane {server}: {code}{answer.details}", subject=name)


def _proxy() -> str | None:
    """A remedy if grpc asks a proxy for the connection; it looks at these variables, in this order."""
    for variable in ("grpc_proxy", "https_proxy", "http_proxy"):
        if os.environ.get(variable):
            return f"{variable} is set, and grpc goes that way: add the control plane's host to no_proxy"
    return None


def _why_it_fails(resources: Sequence[Resource], details: str, name: str) -> Finding:
    kinds = {each.kind for each in resources}
    assignments = [each for each in resources if each.kind == "ClusterLoadAssignment"]
    if assignments and not any(each.endpoints for each in assignments):
        named = ", ".join(each.name for each in assignments)
        return problem("DM136", f"{name}: {named} has no healthy endpoint", subject=name)
    if resources and "Cluster" not in kinds:
        return problem("DM138", f"{name}: no route leads to a cluster: {details}", subject=name)
    return problem("DM137", f"{name}: {details or 'grpc cannot connect'}", subject=name)


def _summary(resources: Sequence[Resource]) -> str:
    if not resources:
        return "this version of grpcio does not show what the control plane has told it"
    kinds: dict[str, list[str]] = {}
    for each in resources:
        kinds.setdefault(each.kind, []).append(each.name)
    endpoints = [each for resource in resources for each in resource.endpoints]
    accepted = "; ".join(f"{kind} {', '.join(names)}" for kind, names in kinds.items())
    return f"grpc has accepted {accepted}; endpoints {first_of(endpoints, _SHOWN) or 'unknown'}"
