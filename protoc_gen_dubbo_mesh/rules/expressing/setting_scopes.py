"""Which calls to a host a configurator's item is for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..interpreting import string_matches
from ..stages import Glob, Param, Regex, Test
from . import requests, scoping
from .values import InexpressibleError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..directory import Host
    from ..model import StringMatch
    from ..stages import Pattern, Setting
    from .steps import Predicate

_EVERYONE = frozenset(["0.0.0.0", "0.0.0.0:*", "*"])  # noqa: S104
_ADDRESS = (
    "it is for instances or consumers of certain addresses, and pods have no fixed ones: configure them by a "
    "Deployment of their own"
)
_PARAM = (
    "it is for instances with certain parameters, and calls are made before one is chosen: configure them "
    "by a Deployment of their own"
)


def concerns(setting: Setting, host: Host) -> bool:
    """Whether an item is about calls to a host."""
    scope = setting.scope
    if scope.application is None:
        return scope.service in host.services
    return (scope.application == host.name) == (setting.side == "provider")


def predicate(setting: Setting, host: Host) -> Predicate | None:
    """The calls to a host that an item is for; None if there are none.

    Raises:
        InexpressibleError: Istio cannot tell them; the message says why.
    """
    item, scope, match = setting.item, setting.scope, setting.item.match
    if any(each.text not in _EVERYONE for each in (*item.addresses, *item.provider_addresses)):
        raise InexpressibleError(_ADDRESS)
    if match is not None and any(map(_is_narrow, (match.address, match.provider_address))):
        raise InexpressibleError(_ADDRESS)
    group, version = (None if value == "*" else value for value in (scope.group, scope.version))
    calls = scoping.predicate(scope._replace(service=_service(setting), group=group, version=version), host)
    return requests.predicate(tuple(_tests(setting)), calls, host)


def notes(setting: Setting) -> Iterator[str]:
    """What differs for all that an item sets."""
    if setting.side == "provider":
        yield "in Dubbo, what consumers set themselves takes precedence over what providers do"
    if setting.scope.application is not None and setting.side == "consumer":
        yield (
            f"{setting.scope.application} is the application that calls, told by tri-consumer-appname, which "
            "Dubbo sends by default"
        )


def _service(setting: Setting) -> str | None:
    services = [each.text for each in setting.item.services if each.text != "*"]
    if setting.scope.application is None:
        return setting.scope.service
    if len(services) > 1:
        raise InexpressibleError("it names several services: write an item for each")
    return services[0].partition(":")[0].rpartition("/")[2] if services else None


def _tests(setting: Setting) -> Iterator[Test]:
    item, match = setting.item, setting.item.match
    applications = tuple([Glob(each.text) for each in item.applications if each.text != "*"])
    if applications:
        yield Test(Param("application"), applications, (), if_absent=False)
    if match is None:
        return
    if match.app:
        yield _one_of("application", match.app)
    if match.service:
        yield _one_of("interface", match.service)
    for param in match.param:
        if setting.side == "provider":
            raise InexpressibleError(_PARAM)
        yield string_matches.test(Param(param.key), param.value, is_go=False, has_wildcard=True)


def _one_of(key: str, matches: tuple[StringMatch, ...]) -> Test:
    equal: list[Pattern] = []
    for each in matches:
        test = string_matches.test(Param(key), each, is_go=False, has_wildcard=True)
        if test.unequal or any(isinstance(pattern, Regex) for pattern in test.equal):
            raise InexpressibleError(f"{key}: only exact values and prefixes can be told: name them")
        equal += test.equal
    return Test(Param(key), tuple(equal), (), if_absent=False)


def _is_narrow(match: StringMatch | None) -> bool:
    return match is not None and any(value.text not in {"*", *_EVERYONE} for _, value in match.fields)
