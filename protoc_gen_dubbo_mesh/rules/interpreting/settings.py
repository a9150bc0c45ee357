"""What configurators mean (ConfigParser, AbstractConfigurator)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import scalars
from ..stages import Setting
from ..verdicts import Remark, Verdict
from . import headers
from .headers import DroppedError
from .scopes import scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..model import ConfigItem, ConfiguratorRule, Unknown

_SIDES = ("consumer", "provider")
_GENERAL = (None, "general")
_ENABLED = (
    "enabled of an item counts only with a type other than general: this item is in force as long as the "
    "rule is"
)
_MATCH = (
    "match counts only with configVersion v3.0: without it the item is for everyone, and is translated as "
    "such"
)
_UNKNOWN_MATCH = (
    "Dubbo ignores this key, so it selects nothing, and the item is for everyone else that matches"
)
_UNKNOWN = "Dubbo ignores this key"


def settings(rule: ConfiguratorRule, remarks: list[Remark]) -> tuple[Setting, ...]:
    """What a rule sets.

    Raises:
        DroppedError: it has no effect as a whole.
    """
    headers.check_texts(rule.header)
    for item in rule.configs:
        if not item.parameters:
            raise DroppedError(item.where, "configs", "an item without parameters makes Dubbo drop the rule")
    found: list[Setting] = []
    for item in rule.configs:
        said = list(_remarks(item))
        kept = _kept(item, rule, said)
        remarks += said
        if kept is not None:
            found.append(kept)
    return tuple(found)


def _kept(item: ConfigItem, rule: ConfiguratorRule, said: list[Remark]) -> Setting | None:
    """The setting of an item; None if it has no effect."""
    side = item.side.text if item.side else None
    if side not in _SIDES:
        said += _without_effect(item, "it names no side: consumer or provider")
        return None
    if not _is_enabled(item, rule):
        said += _without_effect(item, "skipped: enabled is false")
        return None
    version = rule.header.config_version
    if item.match is not None and (version is None or not version.text.startswith("v3.0")):
        said.append(Remark(Verdict.INACTIVE, item.where, "match", _MATCH, "write configVersion: v3.0"))
        item = item._replace(match=None)
    return Setting(scope(rule.header), side, item)


def _is_enabled(item: ConfigItem, rule: ConfiguratorRule) -> bool:
    if (item.type.text if item.type else None) in _GENERAL:
        return scalars.java_true(rule.header.enabled, default=True)
    return scalars.java_true(item.enabled, default=False)


def _remarks(item: ConfigItem) -> Iterator[Remark]:
    if item.enabled is not None and (item.type.text if item.type else None) in _GENERAL:
        yield Remark(Verdict.INACTIVE, item.enabled.where, f"enabled: {item.enabled.text}", _ENABLED)
    for unknown in item.unknown:
        yield Remark(Verdict.INACTIVE, unknown.where, unknown.path, _UNKNOWN)
    for unknown in item.match.unknown if item.match else ():
        yield Remark(Verdict.INACTIVE, unknown.where, unknown.path, _UNKNOWN_MATCH, _meant(unknown))


def _meant(unknown: Unknown) -> str:
    name = unknown.path.rpartition(".")[2]
    return "write app: {oneof: [{exact: NAME}]}" if name == "application" else "delete it"


def _without_effect(item: ConfigItem, why: str) -> Iterator[Remark]:
    for parameter in item.parameters:
        yield Remark(Verdict.INACTIVE, parameter.where, f"{parameter.name}: {parameter.value.text}", why)
