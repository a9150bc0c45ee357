"""What is said of the keys that all kinds of rules have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model import HEADER_KEYS, ConditionRule, ConfiguratorRule
from ..verdicts import Remark, Verdict
from .scopes import scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..dialects import Dialect
    from ..model import Header, Rule, Scalar, Unknown

_KNOWN = (
    *HEADER_KEYS,
    *("conditions", "tags", "configs", "affinityAware", "script", "type"),
)
_UNUSED = {
    "runtime": "the rule is applied to every call, in Dubbo 3 as in Istio",
    "priority": "Dubbo 3 has one rule for each data id, and does not compare priorities",
    "dynamic": "it is about how registries up to Dubbo 2.6 kept rules",
}
_URL = (
    "it is a URL of Dubbo 2.6, of which a service may have several, applied in the order of their priority "
    "(here {priority})"
)
_FORCE_OFF = (
    "a condition that leaves no instance is skipped; in Istio, pods with the labels are preferred instead "
    "of demanded"
)
_DATA_ID = (
    "routers do not read this key: Dubbo finds the rule by its data id, which should be "
    "{service}:{version}:{group}.condition-router; it is taken for calls with this version and group, which "
    "Triple sends as headers if the consumer configures them"
)
_CONFIGURES = "configurators are for the service, group and version of this key"
_APPLICATION = (
    "since Dubbo 3.2 the rule is found by calls to {key} and by calls that {key} makes as their consumer, "
    "and until 3.1 only by the latter"
)
_CALLER = "{release} looks for the rule by the name of the consumer, so it is for calls that {key} makes"


def remarks(rule: Rule, dialect: Dialect) -> Iterator[Remark]:
    """What is said of the keys of a rule, whatever its kind."""
    head = rule.header
    for unknown in head.unknown:
        yield _unknown(unknown)
    if head.from_url:
        priority = head.priority.text if head.priority else "0"
        yield Remark(Verdict.EXACT, head.where, "", _URL.format(priority=priority))
        return
    if isinstance(rule, ConditionRule) and head.force is not None and head.force.text == "false":
        yield Remark(Verdict.EXACT, head.force.where, "force: false", _FORCE_OFF)
    for name in _UNUSED:
        scalar: Scalar | None = getattr(head, name)
        if scalar is not None:
            yield Remark(Verdict.EXACT, scalar.where, f"{name}: {scalar.text}", _UNUSED[name])
    if head.key is not None:
        yield Remark(Verdict.EXACT, head.key.where, f"key: {head.key.text}", _key(rule, head, dialect))


def _key(rule: Rule, head: Header, dialect: Dialect) -> str:
    found = scope(head)
    if found.application is not None:
        if not head.scope or head.scope.text != "application":
            return ""
        return (_APPLICATION if dialect.provider_scope else _CALLER).format(
            key=found.key, release=dialect.release
        )
    if not found.version and not found.group:
        return ""
    if isinstance(rule, ConfiguratorRule):
        return _CONFIGURES
    return _DATA_ID.format(service=found.service, version=found.version or "", group=found.group or "")


def _unknown(unknown: Unknown) -> Remark:
    name = unknown.path.rpartition(".")[2]
    meant = next((known for known in _KNOWN if known.lower() == name.lower()), None)
    return Remark(
        Verdict.INACTIVE,
        unknown.where,
        unknown.path,
        "Dubbo ignores this key, since it knows none of this name"
        + ("; names are case-sensitive" if meant else ""),
        f"write {meant}" if meant else "delete it, or say elsewhere what was meant",
    )
