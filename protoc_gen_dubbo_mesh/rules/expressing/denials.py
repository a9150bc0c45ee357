"""Lines that deny as rules of an AuthorizationPolicy, which the provider's pods enforce.

A route that refuses is in the caller's sidecar: callers without one, or with a forged header, get past it.
So there is a policy beside it where Istio can tell the callers, and instead of it for callers by their
addresses, which routes do not see.

On ports that are not HTTP, such as Dubbo's own protocol beside Triple, Istio leaves paths out of a rule that
denies, which then denies everything. So rules name the ports, and there are none if these are not known.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, NamedTuple

from ..resources import Denial
from ..stages import ConditionStage, Glob, Place
from ..verdicts import Remark, Verdict
from . import requests, scoping
from .values import InexpressibleError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..directory import Directory, Host
    from ..stages import Filter, Stage, Test
    from .steps import Predicate, Values

_APPLICATION = "tri-consumer-appname"
_BY_ADDRESS = (
    "an AuthorizationPolicy denies by the address that calls come from: in Dubbo a consumer says its own "
    "host, and pods that are replaced have other addresses"
)
_BESIDE = "an AuthorizationPolicy denies as well: callers cannot get past it, even without a sidecar"
_NEEDS_MTLS = "an AuthorizationPolicy denies as well, by service accounts, which needs mutual TLS"
_ADVISED = (
    "callers can forge tri-consumer-appname, and do without a sidecar: --account {application}="
    "NAMESPACE/ACCOUNT adds an AuthorizationPolicy that they cannot get past"
)
_NO_PORT = (
    "an AuthorizationPolicy could deny it, but the port of the app is not known, and on others it would deny "
    "all calls: give --world or --protos"
)


class Denied(NamedTuple):
    """The denials of some stages.

    Attributes:
        stages: the stages without the lines that the denials fully stand for.
        denials: rules of an AuthorizationPolicy.
    """

    stages: list[Stage]
    denials: tuple[Denial, ...]


class _Callers(NamedTuple):
    """Callers, as far as an AuthorizationPolicy can tell them; nothing: all callers."""

    principals: tuple[str, ...] = ()
    not_principals: tuple[str, ...] = ()


def denied(stages: Sequence[Stage], host: Host, directory: Directory, remarks: list[Remark]) -> Denied:
    """What is denied at the pods of a host.

    Args:
        stages: the stages that concern the host.
        host: the host.
        directory: which service accounts applications have.
        remarks: gains what is said of the lines.
    """
    found: list[Denial] = []
    left: list[Stage] = []
    for stage in stages:
        if not isinstance(stage, ConditionStage):
            left.append(stage)
            continue
        kept: list[Filter] = []
        for line in stage.filters:
            denial = (
                None
                if line.choices or not stage.denies
                else _denial(line, stage, host, directory.accounts, remarks)
            )
            if denial is not None:
                found.append(denial)
            if denial is None or not (denial.ip_blocks or denial.not_ip_blocks):
                kept.append(line)
        left.append(stage._replace(filters=tuple(kept)))
    return Denied(left, tuple(found))


def _denial(
    line: Filter, stage: ConditionStage, host: Host, accounts: Mapping[str, str], remarks: list[Remark]
) -> Denial | None:
    """The denial for a line; None if an AuthorizationPolicy cannot express it."""
    places = [test for test in line.when if test.subject == Place("host")]
    others = [test for test in line.when if test not in places]
    try:
        when = requests.predicate(others, scoping.predicate(stage.scope, host), host)
        blocks = [_blocks(test) for test in places]
    except InexpressibleError:
        return None
    if when is None or when.source_labels or len(blocks) > 1:
        return None
    ports = _ports(host)
    headers = dict(when.headers)
    application = headers.pop(_APPLICATION, None)
    callers = _callers(application, accounts) if application is not None else _Callers()
    paths = _paths(when, host)
    if headers or paths is None:
        return None
    if callers is None:
        named = [
            each.prefix for each in _listed(application) if not each.star and each.prefix not in accounts
        ]
        if named and not places:
            why = _ADVISED.format(application=named[0])
            remarks.append(Remark(Verdict.EXACT, line.where, line.text, why))
        return None
    if not ports or not host.selector:
        if places or application is not None:
            remarks.append(Remark(Verdict.EXACT, line.where, line.text, _NO_PORT))
        return None
    verdict, why = (Verdict.APPROXIMATE, _BY_ADDRESS) if places else (Verdict.EXACT, _BESIDE)
    if application is not None:
        why = _NEEDS_MTLS if not places else f"{why}; {_NEEDS_MTLS}"
    remarks.append(Remark(verdict, line.where, line.text, why))
    ip_blocks, not_ip_blocks = blocks[0] if blocks else ((), ())
    return Denial(
        ports=ports,
        paths=paths[0],
        not_paths=paths[1],
        principals=callers.principals,
        not_principals=callers.not_principals,
        ip_blocks=ip_blocks,
        not_ip_blocks=not_ip_blocks,
        comments=(f"{line.where}: {line.text}",),
        sources=(line.where,),
    )


def _ports(host: Host) -> tuple[int, ...]:
    """The ports of its pods, as far as they are known."""
    return tuple(sorted({port for _, port in host.ports} | {each.port for each in host.instances}))


def _listed(values: Values | None) -> tuple[Glob, ...]:
    found = () if values is None else (*(values.allowed or ()), *values.denied)
    return tuple([each for each in found if isinstance(each, Glob)])


def _callers(application: Values, accounts: Mapping[str, str]) -> _Callers | None:
    """The callers of some applications; None if their service accounts are not known."""
    named = _listed(application)
    size = len(application.allowed or ()) + len(application.denied)
    if len(named) < size or any(each.star or each.prefix not in accounts for each in named):
        return None
    principals = tuple([f"*/ns/{ns}/sa/{name}" for ns, name in _accounts(application.allowed, accounts)])
    others = tuple([f"*/ns/{ns}/sa/{name}" for ns, name in _accounts(application.denied, accounts)])
    return _Callers(principals, others)


def _accounts(patterns: Sequence[object] | None, accounts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for each in patterns or ():
        if isinstance(each, Glob):
            namespace, _, account = accounts[each.prefix].partition("/")
            yield namespace, account


def _paths(when: Predicate, host: Host) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """The paths of requests and other paths; None if an AuthorizationPolicy cannot tell them.

    A path may end or begin with `*`, and have it nowhere else.
    """
    services = [when.service] if when.service is not None else [*host.services]
    if any(
        not isinstance(each, Glob) or each.suffix
        for each in (*(when.methods.allowed or ()), *when.methods.denied)
    ):
        return None
    allowed = (Glob("", star=True),) if when.methods.allowed is None else when.methods.allowed
    return (
        tuple([_path(service, each) for service in services for each in allowed]),
        tuple([_path(service, each) for service in services for each in when.methods.denied]),
    )


def _path(service: str, method: object) -> str:
    assert isinstance(method, Glob)
    return f"/{service}/{method.prefix}{'*' if method.star else ''}"


def _blocks(test: Test) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The addresses of callers for which a test holds, and those for which it does not.

    Raises:
        InexpressibleError: they are no blocks of addresses.
    """
    return (
        tuple([_block(each) for each in test.equal]),
        tuple([_block(each) for each in test.unequal]),
    )


def _block(pattern: object) -> str:
    """A pattern of addresses as a block: `10.3.*` is 10.3.0.0/16."""
    match pattern:
        case Glob(text, False):
            address = text
            size = ""
        case Glob(text, True, "") if text.endswith("."):
            parts = text.rstrip(".").split(".")
            address = ".".join([*parts, *["0"] * (4 - len(parts))])
            size = f"/{8 * len(parts)}"
        case _:
            raise InexpressibleError("it is no block of addresses")
    try:
        return str(ipaddress.ip_network(address + size)) if size else str(ipaddress.ip_address(address))
    except ValueError as error:
        raise InexpressibleError("it is no address") from error
