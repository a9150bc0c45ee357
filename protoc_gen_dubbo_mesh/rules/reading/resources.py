"""Kubernetes resources whose `spec` is a rule, and which kind of rule a mapping is."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..model import Scalar
from . import affinity_rule, condition_rule, configurator_rule, script_rule, shapes, tag_rule
from .tree import Mapping, Sequence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..model import Rule
    from ..problems import Problem
    from .tree import Node

_READERS: dict[str, Callable[[Mapping, list[Problem], Mapping | None], Rule]] = {
    "conditions": condition_rule.read,
    "tags": tag_rule.read,
    "configs": configurator_rule.read,
    "affinityAware": affinity_rule.read,
    "script": script_rule.read,
}
"""How rules are read, by the key that they alone have."""

_KINDS = {
    "ConditionRoute": "conditions",
    "TagRoute": "tags",
    "DynamicConfig": "configs",
    "AffinityRoute": "affinityAware",
    "ScriptRoute": "script",
}
"""Kinds of Kubernetes resources (dubbo-admin, dubbo-kubernetes), each with that key."""

_MESH_KINDS = {"DestinationRule", "VirtualService"}


class Mesh(NamedTuple):
    """A document of a mesh rule."""

    tree: Mapping


def rules_of(tree: Mapping, problems: list[Problem]) -> Iterator[Rule | Mesh | Node]:
    """The rules of a document: one, those of a List, or the document itself if it is none."""
    kind = _text(tree, "kind")
    if kind == "List" and isinstance(items := tree.get("items"), Sequence):
        for item in items.items:
            if isinstance(item, Mapping):
                yield from rules_of(item, problems)
            else:
                yield item
        return
    version = _text(tree, "apiVersion")
    if kind in _MESH_KINDS and version.partition("/")[0] == "service.dubbo.apache.org":
        yield Mesh(tree)
        return
    key = _KINDS.get(kind or _text(tree, "type"))
    spec = tree.get("spec")
    if key is not None and isinstance(spec, Mapping):
        metadata = shapes.mapping(tree, "metadata", problems) or tree  # without it, names stand beside `spec`
        yield _READERS[key](spec, problems, metadata)
        return
    found = None if kind and version else next((each for each in _READERS if tree.key(each)), None)
    yield tree if found is None else _READERS[found](tree, problems, None)


def described(tree: Node | None) -> str:
    """What a document is that is no rule."""
    match tree:
        case None:
            return "nothing"
        case Mapping():
            kind = _text(tree, "kind")
            version = _text(tree, "apiVersion")
            if kind:
                return f"{version}, kind {kind}" if version else f"kind {kind}"
            return "a mapping without any of these keys"
        case _:
            return shapes.described(tree)


def _text(tree: Mapping, name: str) -> str:
    value = tree.get(name)
    return value.text if isinstance(value, Scalar) else ""
