"""What else the sidecar does to calls of an rpc that their callers may not expect."""

from __future__ import annotations

from collections.abc import Iterator

from ..envoy.forwarding.filters import Fault, Filter, fault_of, filters_of, is_limiting, may_refuse
from ..envoy.forwarding.rewriting import new_authority, new_path
from ..envoy.routing.conditions import header_matches
from ..envoy.values import flag, has, mapping, objects, text
from ..finding import Finding
from ..wording import duration, percent
from .followed import Followed


def check_surprises(followed: Followed) -> Iterator[Finding]:
    """Reports injected faults, limits, filters that may refuse calls, buffering, rewriting and mirroring."""
    for each in filters_of(followed.entrance.manager, followed.route):
        where = f"filter {each.name} of the {each.where}"
        if each.kind == "HTTPFault":
            yield from _check_fault(followed, each, where)
        elif each.kind == "LocalRateLimit" and is_limiting(each.message):
            yield followed.problem("DM331", f"calls are limited by {where}")
        elif may_refuse(each):
            yield followed.problem("DM348", f"calls pass {where}, which may refuse them")
        elif each.kind.startswith("Buffer") and followed.asked.method.client_streaming:
            if flag(each.message, "disabled"):
                continue
            yield followed.problem("DM335", f"{where} keeps requests until the last one has been sent")
    yield from _check_rewriting(followed)
    action = mapping(followed.route.message, "route")
    header = text(action, "cluster_header")
    if header:
        seen = f"{followed.subject}{followed.where} goes by header {header}: its cluster is not looked at"
        yield Finding("upstream", "skipped", seen, subject=followed.asked.name)
    elif has(action, "metadata_match"):
        seen = f"{followed.subject}{followed.where} goes to hosts with certain metadata only: not looked at"
        yield Finding("upstream", "skipped", seen, subject=followed.asked.name)
    for owner in (action, followed.route.virtual_host):
        mirrors = [text(each, "cluster") for each in objects(owner, "request_mirror_policies")]
        if mirrors:
            yield followed.problem("DM334", f"{followed.where} sends copies of calls to {', '.join(mirrors)}")
            return


def _check_fault(followed: Followed, filter: Filter, where: str) -> Iterator[Finding]:
    fault = fault_of(filter.message)
    cluster = text(filter.message, "upstream_cluster")
    if fault is None or (cluster and cluster not in {name for name, _ in followed.clusters}):
        return
    matchers = objects(filter.message, "headers")
    if all(header_matches(each, followed.asked.request) is not False for each in matchers):
        yield followed.problem("DM330", f"{_described(fault)}: {where}")


def _described(fault: Fault) -> str:
    parts: list[str] = []
    if fault.delay:
        parts.append(f"{percent(fault.delayed)} of calls are delayed by {duration(fault.delay)}")
    if fault.abort:
        parts.append(f"{percent(fault.aborted)} of calls are aborted with {fault.abort}")
    return ", ".join(parts)


def _check_rewriting(followed: Followed) -> Iterator[Finding]:
    request = followed.asked.request
    path = new_path(followed.route, request)
    if path != request.path:
        shown = "another path" if path is None else path
        yield followed.problem("DM332", f"{followed.where} sends it as {shown}")
    authority = new_authority(followed.route, request)
    if authority is None or authority.lower() != request.authority.lower():
        shown = "another :authority" if authority is None else f":authority {authority}"
        yield followed.problem("DM333", f"{followed.where} sends it with {shown}")
