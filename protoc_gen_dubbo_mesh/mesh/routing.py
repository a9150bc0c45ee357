"""How calls to an application are routed: as few routes as its policies need.

There is one route for everything. A service whose rpcs mostly need another one gets a route for its prefix,
and the remaining rpcs get routes for their exact paths; what needs the same shares a route.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from ..policy.model import RETRY_FIELDS
from ..policy.provenance import DEFAULT
from .wording import origins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ..policy.model import Duration, RpcPolicy, ServicePolicy


class Match(NamedTuple):
    """The paths that a route is for.

    Attributes:
        path: `/package.Service/rpc`, or `/package.Service/` for all rpcs of a service.
        is_prefix: whether the path may go on.
    """

    path: str
    is_prefix: bool


class Retries(NamedTuple):
    """When Envoy retries, as a route sets it.

    Attributes:
        number: the number of retries; 0 for none.
        on: the conditions, by Envoy's names: of connections and HTTP, then gRPC statuses.
        status_codes: HTTP status codes to retry on.
        header_names: response headers to retry on.
    """

    number: int
    on: tuple[str, ...] = ()
    status_codes: tuple[int, ...] = ()
    header_names: tuple[str, ...] = ()


NO_RETRIES = Retries(0)
DEFAULT_RETRIES = 1
"""The number of retries where conditions are set and the number is not, as Envoy has it (`num_retries`)."""


class Action(NamedTuple):
    """What a route does with a call.

    Attributes:
        subset: the subset of pods that it goes to; None for any.
        retries: None leaves it to the mesh's own defaults.
        timeout: of the whole call; None for none.
        per_try_timeout: of each attempt; None for none.
        hedges: whether a slow attempt goes on beside the next one.
        stream_duration: how long a stream may last; None for any time.
    """

    subset: str | None = None
    retries: Retries | None = NO_RETRIES
    timeout: Duration | None = None
    per_try_timeout: Duration | None = None
    hedges: bool = False
    stream_duration: Duration | None = None


UNRETRIED = Action()


class Route(NamedTuple):
    """A route.

    Attributes:
        name: unique within the application.
        matches: the paths that it is for, sorted; none means all that no other route is for.
        action: what it does.
        rpcs: the rpcs whose calls it gets, in the order of their paths.
    """

    name: str
    matches: tuple[Match, ...]
    action: Action
    rpcs: tuple[RpcPolicy, ...]

    def origin(self, *fields: str) -> str:
        """Where fields of the call policy were set: `greeter.proto:15 (option)`, or several of these.

        Args:
            fields: some of `CALL_FIELDS`; `retry` stands for all of its fields.
        """
        return _origins(self.rpcs, fields)


def action_by_headers(rpc: RpcPolicy, subset: str | None) -> Action:
    """The action for an rpc whose stubs ask for timeouts and retries themselves.

    It leaves the mesh's own retries on only where an rpc may be run twice, and no retries are not asked for.
    """
    retry = rpc.call.retry
    wants_none = retry is not None and retry.attempts == 1
    return Action(subset, None if rpc.idempotent and not wants_none else NO_RETRIES)


def action_by_routes(rpc: RpcPolicy, subset: str | None) -> Action:
    """The action for an rpc whose policy is enforced by its route."""
    call = rpc.call
    streams = rpc.client_streaming or rpc.server_streaming
    return Action(
        subset=subset,
        retries=_retries(rpc),
        timeout=None if streams else call.timeout or None,
        per_try_timeout=None if streams else call.per_try_timeout or None,
        hedges=bool(call.hedge_on_per_try_timeout),
        stream_duration=call.stream_duration or None,
    )


def in_istio(action: Action) -> Action:
    """What a VirtualService can do of an action: it neither hedges nor limits how long streams last."""
    return action._replace(hedges=False, stream_duration=None)


def in_gateway_api(action: Action) -> Action:
    """What a route of the Gateway API can do of an action: the mesh's own retries stay on."""
    return Action(action.subset, retries=None, timeout=action.timeout)


ACTIONS: Mapping[str, Callable[[RpcPolicy, str | None], Action]] = {
    "headers": action_by_headers,
    "routes": action_by_routes,
}


def routes(
    app: str,
    services: Iterable[ServicePolicy],
    subsets: Mapping[str, str | None],
    action_of: Callable[[RpcPolicy, str | None], Action],
    rest: Action = UNRETRIED,
) -> tuple[Route, ...]:
    """The routes of an application: exact paths, then prefixes, then everything else.

    Args:
        app: its name.
        services: its services.
        subsets: the subset that each service is in, by the service's name.
        action_of: what is done with an rpc of a subset. Fields have their defaults where the routes of an API
            cannot do what they say, so that it makes no difference.
        rest: what is done with calls that no other route is for, apart from their subset.
    """
    in_order = sorted(services, key=lambda service: service.name)
    shared = set(subsets.values())
    rest = rest._replace(subset=shared.pop() if len(shared) == 1 else None)
    exact: dict[Action, list[tuple[Match, RpcPolicy]]] = {}
    prefixes: dict[Action, list[tuple[Match, list[RpcPolicy]]]] = {}
    others: list[RpcPolicy] = []
    for service in in_order:
        actions = [(rpc, action_of(rpc, subsets[service.name])) for rpc in service.rpcs]
        # Rpcs that this version of the proto does not have yet go to the service's own pods, too.
        unknown = rest._replace(subset=subsets[service.name])
        usual = _usual([action for rpc, action in actions for _ in _paths(service, rpc)], unknown, rest)
        within = [rpc for rpc, action in actions if action == usual]
        if usual == rest:
            others += within
        else:
            prefixes.setdefault(usual, []).append((Match(f"/{service.name}/", is_prefix=True), within))
        for rpc, action in actions:
            if action != usual:
                exact.setdefault(action, []).extend(
                    (Match(path, is_prefix=False), rpc) for path in _paths(service, rpc)
                )
    found = [
        _route(action, [match for match, _ in pairs], [rpc for _, rpc in pairs])
        for action, pairs in exact.items()
    ]
    found += [
        _route(action, [match for match, _ in pairs], [rpc for _, rpcs in pairs for rpc in rpcs])
        for action, pairs in prefixes.items()
    ]
    found.sort(key=lambda route: (route.matches[0].is_prefix, route.matches[0].path))
    return (*found, Route(app, (), rest, tuple(others)))


def _usual(actions: Sequence[Action], unknown: Action, rest: Action) -> Action:
    """The action of a service's prefix, with which there are fewest routes; `unknown` if it needs none.

    Args:
        actions: that of each path of the service.
        unknown: that of other paths of the service, unless it has a prefix.
        rest: that of paths which meet no other route.
    """
    counts = Counter(actions)

    def number_of_routes(action: Action) -> int:
        return len(actions) - counts[action] + (action != rest)

    return min((unknown, *counts), key=number_of_routes)


def _route(action: Action, matches: list[Match], rpcs: list[RpcPolicy]) -> Route:
    matches.sort()
    first = matches[0].path.strip("/")
    name = f"{first} +{len(matches) - 1}" if len(matches) > 1 else first
    by_path = {rpc.path: rpc for rpc in rpcs}  # one with aliases has several paths
    return Route(name, tuple(matches), action, tuple(by_path[path] for path in sorted(by_path)))


def _paths(service: ServicePolicy, rpc: RpcPolicy) -> list[str]:
    """The paths that an rpc is served under."""
    return [rpc.path, *(f"/{service.name}/{alias}" for alias in rpc.aliases)]


def _retries(rpc: RpcPolicy) -> Retries:
    retry = rpc.call.retry
    if retry is None or retry.attempts == 1 or not retry.has_conditions:
        return NO_RETRIES
    implied = [condition for field, condition in _IMPLIED.items() if getattr(retry, field)]
    return Retries(
        number=DEFAULT_RETRIES if retry.attempts is None else retry.attempts - 1,
        on=tuple(dict.fromkeys((*(retry.on or ()), *(retry.grpc_on or ()), *implied))),
        status_codes=retry.status_codes or (),
        header_names=retry.header_names or (),
    )


_IMPLIED = {"status_codes": "retriable-status-codes", "header_names": "retriable-headers"}
"""The conditions that go with fields of a retry policy, as in `EnvoyHeaders`."""


def _origins(rpcs: Sequence[RpcPolicy], fields: Sequence[str]) -> str:
    if not rpcs:
        return ""
    names = [name for field in fields for name in (RETRY_FIELDS if field == "retry" else (field,))]
    found = [origin for rpc in rpcs for name in names if (origin := rpc.origin(name)).where]
    return origins(found or [DEFAULT])
