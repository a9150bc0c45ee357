"""What tag rules mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import scalars
from ..stages import Param, Scope, TagGroup, TagStage
from ..verdicts import Remark, Verdict
from . import headers, string_matches
from .headers import DroppedError

if TYPE_CHECKING:
    from ..dialects import Dialect
    from ..model import Tag, TagRule


def without_rule(dialect: Dialect) -> TagStage:
    """The stage that instances' own tags are, without a rule."""
    patterns = dialect.tag_address_patterns
    return TagStage(None, (), force=False, levels=False, address_patterns=patterns, is_go=dialect.is_go)


def stage(rule: TagRule, dialect: Dialect, remarks: list[Remark]) -> TagStage:
    """The stage of a tag rule.

    Args:
        rule: the rule.
        dialect: the version of Dubbo.
        remarks: gains what is said of lines without an effect.

    Raises:
        DroppedError: the rule has no effect, which leaves instances' own tags.
    """
    header = rule.header
    if dialect.is_go:
        force = headers.go_value("force", header.force)
        enabled = headers.go_value("enabled", header.enabled) is not False
    else:
        headers.check_java(header, dialect)
        force = scalars.java_true(header.force, default=False)
        enabled = scalars.java_true(header.enabled, default=True)
    headers.check_enabled(header, enabled=enabled)
    if not rule.tags:
        raise DroppedError(header.where, "tags", "there are no tags")
    if not dialect.is_go:
        _check_names(rule)
    version = header.config_version
    reads_match = dialect.is_go or (
        dialect.tag_match and version is not None and version.text.startswith("v3.0")
    )
    groups = [_group(each, dialect, remarks, reads_match=reads_match) for each in rule.tags]
    key = header.key.text if header.key else ""
    return TagStage(
        Scope(None, None, None, key, key, header.key.where if header.key else header.where),
        tuple(groups),
        force=bool(force),
        levels=dialect.tag_levels,
        address_patterns=dialect.tag_address_patterns,
        is_go=dialect.is_go,
        keeps_other_static_tags=dialect.keeps_other_static_tags,
    )


def _check_names(rule: TagRule) -> None:
    for each in rule.tags:
        if not scalars.is_java_text(each.name):
            kind = scalars.kind(each.name)
            raise DroppedError(
                each.name.where,
                f"name: {each.name.text}",
                f"the name is a {kind} in YAML, and no text: Java drops the rule",
            )


def _group(tag: Tag, dialect: Dialect, remarks: list[Remark], *, reads_match: bool) -> TagGroup:
    addresses = tuple([scalars.java_text(each) for each in tag.addresses or ()])
    match = tag.match if reads_match else None
    name = tag.name.text

    def ignored(why: str) -> None:
        remarks.append(Remark(Verdict.INACTIVE, tag.where, name, why))

    if not dialect.is_go and reads_match and match is None and not addresses:
        raise DroppedError(
            tag.where, name, "a tag of v3.0 has neither match nor addresses: Java drops the rule"
        )
    if match and addresses:
        if dialect.match_over_addresses:
            ignored("addresses only keep requests without a tag away, since match counts")
        else:
            ignored("match is ignored beside addresses")
            match = None
    if tag.match is not None and not reads_match:
        ignored("match is read only with configVersion: v3.0, in small letters, from Dubbo 3.2 on")
    tests = None
    if match is not None:
        tests = tuple(
            [
                string_matches.test(
                    Param(each.key), each.value, is_go=dialect.is_go, has_wildcard=dialect.has_wildcard
                )
                for each in match
            ]
        )
    return TagGroup(name, addresses or None, tests, tag.where)
