"""Runs resources on a request as Istio's sidecars do: nothing but what is written counts."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..resources import Denial, Destination, HostFile, Match, Route, StringMatch
    from ..worlds import Instance, Request, World


def headers(request: Request) -> dict[str, str]:
    """The headers that a Triple consumer sends, with the path as `:path`.

    An attachment of an HTTP/2 header's name is lower-cased (TripleConstants, StreamUtils.convertAttachment).
    """
    found = {key.lower(): value for key, value in request.attachments.items()}
    found["tri-consumer-appname"] = request.consumer.application
    if request.version:
        found["tri-service-version"] = request.version
    if request.group:
        found["tri-service-group"] = request.group
    found[":path"] = f"/{request.service}/{request.method}"
    return found


def route_of(file: HostFile, request: Request) -> Route | None:
    """The route that a request takes; None: it has none, and is answered with UNIMPLEMENTED."""
    sent = headers(request)
    labels = request.consumer.params
    port = dict(file.ports).get(request.service)
    for route in file.routes:
        if not route.matches or any(
            each.port in {None, port} and _matches(each, sent, labels) for each in route.matches
        ):
            return route
    return None


def simulate(file: HostFile, world: World, request: Request) -> dict[tuple[str, ...], float]:
    """Which instances may serve a request, by name, with the probability of each outcome."""
    route = route_of(file, request)
    if any(_denies(each, request) for each in file.denials):
        return {(): 1.0}
    if route is None or not route.destinations or route.abort:
        return {(): 1.0}
    total = sum(each.weight or 1 for each in route.destinations)
    shares: dict[tuple[str, ...], float] = {}
    for each in route.destinations:
        names = tuple([instance.name for instance in _pods(file, each, world.instances, request)])
        shares[names] = shares.get(names, 0.0) + (each.weight or 1) / total
    return shares


def _matches(match: Match, sent: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return (
        (match.uri is None or _holds(match.uri, sent[":path"]))
        and all(_has(sent, name, wanted) for name, wanted in match.headers)
        and not any(_is_unwanted(sent, name, unwanted) for name, unwanted in match.without_headers)
        and all(labels.get(key) == value for key, value in match.source_labels)
    )


def _denies(denial: Denial, request: Request) -> bool:
    """Whether the AuthorizationPolicy denies a request. It is not known who has which service account."""
    path = f"/{request.service}/{request.method}"
    address = request.consumer.host
    return (
        not (denial.principals or denial.not_principals)
        and (not denial.paths or any(_is_path(each, path) for each in denial.paths))
        and not any(_is_path(each, path) for each in denial.not_paths)
        and (not denial.ip_blocks or _is_among(address, denial.ip_blocks))
        and not _is_among(address, denial.not_ip_blocks)
    )


def _is_path(pattern: str, path: str) -> bool:
    return path.startswith(pattern[:-1]) if pattern.endswith("*") else path == pattern


def _is_among(address: str, blocks: tuple[str, ...]) -> bool:
    try:
        return any(ip_address(address) in ip_network(each) for each in blocks)
    except ValueError:
        return False


def _has(sent: Mapping[str, str], name: str, wanted: StringMatch | None) -> bool:
    value = sent.get(name)
    return value is not None and (wanted is None or _holds(wanted, value))


def _is_unwanted(sent: Mapping[str, str], name: str, unwanted: StringMatch | None) -> bool:
    """Whether `withoutHeaders` stops a request. Istio has Envoy take a missing header for an empty one."""
    return name in sent if unwanted is None else _holds(unwanted, sent.get(name, ""))


def _holds(match: StringMatch, value: str) -> bool:
    match match.kind:
        case "exact":
            return value == match.value
        case "prefix":
            return value.startswith(match.value)
        case _:
            return _regex(match.value).fullmatch(value) is not None


@lru_cache(2**12)
def _regex(text: str) -> re.Pattern[str]:
    # What `expressing` writes means the same to RE2 and to Python; `\d` is of ASCII only in RE2.
    return re.compile(text, re.ASCII | re.DOTALL)


def _pods(
    file: HostFile, destination: Destination, instances: tuple[Instance, ...], request: Request
) -> list[Instance]:
    subset = next((each for each in file.subsets if each.name == destination.subset), None)
    if destination.subset is not None and subset is None:
        return []
    wanted = dict(subset.labels) if subset else {}
    found = [one for one in instances if all(one.params.get(key) == value for key, value in wanted.items())]
    prefer = subset.prefer if subset and subset.prefer else file.policy.prefer
    if not prefer or not found:
        return found
    ranks = [_rank(one, prefer, request) for one in found]
    return [one for one, rank in zip(found, ranks, strict=True) if rank == max(ranks)]


def _rank(instance: Instance, prefer: tuple[str, ...], request: Request) -> int:
    """How many wishes in a row a pod fulfils (failoverPriority: all before one that fails count)."""
    for number, wish in enumerate(prefer):
        key, equal, value = wish.partition("=")
        wanted = value if equal else request.consumer.params.get(key, "")
        if instance.params.get(key, "") != wanted:
            return number
    return len(prefer)
