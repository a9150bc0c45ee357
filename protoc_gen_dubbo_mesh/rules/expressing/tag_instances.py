"""What is known of the instances of tags: a world is an inventory, which advice can name pods from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..deciding import addresses
from ..deciding.matching import holds_for_instance
from ..verdicts import Verdict
from ..worlds import Consumer, Request

if TYPE_CHECKING:
    from ..directory import Host
    from ..stages import TagGroup, TagStage
    from ..worlds import Instance

_TAG = "dubbo.tag"
_MOST_NAMES = 5
_ANY_REQUEST = Request("", "", "", None, None, Consumer("", "", {}), {}, ())


def fixed_addresses(group: TagGroup, stage: TagStage, host: Host) -> tuple[str, str]:
    """Why the addresses of a group cannot be expressed, and what to do instead."""
    found = [one.name for one in host.instances if _has_address(group, stage, one)]
    pods = f" (here {_listed(found)})" if found else ""
    return (
        f"addresses: pods have no fixed addresses, and subsets only tell labels{pods}",
        f"label the Deployment of these pods, such as {_TAG}: {_label(group.name)}, and write match with "
        "that label instead of addresses",
    )


def checked_untagged(stage: TagStage, host: Host, label: tuple[str, str]) -> tuple[Verdict, str]:
    """Whether the pods that have a label are those without a tag, and what is said of it."""
    key, value = label
    said = f"pods without a tag are those with the label {key}={value}"
    wrong = [one.name for one in host.instances if (one.params.get(key) == value) != _is_untagged(stage, one)]
    if wrong:
        return Verdict.APPROXIMATE, f"{said}, but not so: {_listed(wrong)}"
    return Verdict.EXACT, said


def _is_untagged(stage: TagStage, one: Instance) -> bool:
    groups = [] if stage.is_go else [group for group in stage.groups if group.match]
    return not (
        one.params.get(_TAG)
        or any(_has_address(group, stage, one) for group in stage.groups)
        or any(_has_labels(group, one) for group in groups)
    )


def _has_address(group: TagGroup, stage: TagStage, one: Instance) -> bool:
    return addresses.are_of(group.addresses or (), one, wildcards=stage.address_patterns)


def _has_labels(group: TagGroup, one: Instance) -> bool:
    return all(holds_for_instance(test, one, _ANY_REQUEST) for test in group.match or ())


def _listed(names: list[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _label(tag: str) -> str:
    return "".join(char if char.isalnum() else "-" for char in tag).strip("-") or "tagged"
