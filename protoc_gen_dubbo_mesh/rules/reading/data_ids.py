"""Data ids: under these names Nacos, ZooKeeper and Apollo keep rules, and so exported files have them."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING

from ..model import MeshRule, Scalar
from ..positions import Position

if TYPE_CHECKING:
    from ..model import Rule

_DATA_ID = re.compile(
    r"(?P<interface>[^:]+)(:(?P<version>[^:]*):(?P<group>[^:]*))?"
    r"\.(condition-router|tag-router|script-router|affinity-router|configurators)(\.(yaml|yml|txt))?"
)


def with_key(rule: Rule, file: str) -> Rule:
    """A rule without a key gets that of its file's name: Dubbo goes by the data id, not by the key."""
    if isinstance(rule, MeshRule) or rule.header.key is not None:
        return rule
    found = _DATA_ID.fullmatch(PurePath(file).name)
    if found is None:
        return rule
    group, version = found["group"], found["version"]
    text = f"{f'{group}/' if group else ''}{found['interface']}{f':{version}' if version else ''}"
    key = Scalar(text, plain=False, where=Position(file, 1))
    return rule._replace(header=rule.header._replace(key=key))
