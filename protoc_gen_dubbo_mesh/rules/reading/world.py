"""Worlds: `service`, `application`, `instances`, `requests`, and `split`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model import Scalar
from ..positions import Position
from ..problems import Problem
from ..scalars import java_text
from ..worlds import Consumer, Instance, Request, World
from . import shapes
from .rules import text_of
from .tree import Mapping, Sequence, documents

if TYPE_CHECKING:
    from .tree import Node

_KNOWN = {"service", "application", "instances", "requests", "split", "rules", "runs"}


def read(file: str, problems: list[Problem]) -> World | None:
    """Reads a world; None if there is none."""
    text = text_of(file, problems)
    if text is None:
        return None
    found = documents(text, file)
    problems += found.problems
    if found.is_broken:
        return None
    tree = found.trees[0] if found.trees else None
    if not isinstance(tree, Mapping):
        where = Position(file, 1) if tree is None else tree.where
        problems.append(Problem(where, "not a world: expected a mapping with instances and requests"))
        return None
    problems += [
        Problem(each.where, f"unknown key {each.path}: must be one of {', '.join(sorted(_KNOWN))}")
        for each in shapes.unknown(tree, _KNOWN)
    ]
    for name in ("instances", "requests"):
        _duplicates(tree, name, problems)
    service = _text(tree, "service", "svc", problems)
    application = _text(tree, "application", "provider-app", problems)
    return World(
        service,
        application,
        tuple(
            [
                _instance(each, application, problems)
                for each in shapes.mappings(tree, "instances", problems) or ()
            ]
        ),
        tuple(
            [_request(each, service, problems) for each in shapes.mappings(tree, "requests", problems) or ()]
        ),
        _text(tree, "split", "false", problems) == "true",
    )


def _instance(tree: Mapping, application: str, problems: list[Problem]) -> Instance:
    address = _text(tree, "address", "10.0.0.1:50051", problems)
    host, _, port = address.rpartition(":")
    if not host or not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 2**16):
        problems.append(Problem(tree.where, f"address must be HOST:PORT, not {address}"))
        host, port = address, "0"
    elif ":" in host and not (host.startswith("[") and host.endswith("]")):
        problems.append(Problem(tree.where, f"an address of IPv6 needs brackets: [{host}]:{port}"))
    return Instance(
        _text(tree, "name", address, problems),
        host,
        int(port),
        _text(tree, "application", application, problems),
        _strings(tree, "params", problems),
    )


def _request(tree: Mapping, service: str, problems: list[Problem]) -> Request:
    consumer = shapes.mapping(tree, "consumer", problems) or Mapping((), tree.where)
    return Request(
        name=_text(tree, "name", "?", problems),
        service=_text(tree, "service", service, problems),
        method=_text(tree, "method", "call", problems),
        version=_text(tree, "version", "", problems) or None,
        group=_text(tree, "group", "", problems) or None,
        consumer=Consumer(
            _text(consumer, "application", "consumer-app", problems),
            _text(consumer, "host", "10.9.9.9", problems),
            _strings(consumer, "params", problems),
        ),
        attachments=_strings(tree, "attachments", problems),
        arguments=tuple([_argument(each) for each in shapes.items(tree, "arguments", problems) or ()]),
    )


def _argument(node: Node) -> str:
    return java_text(node) if isinstance(node, Scalar) else ""


def _text(tree: Mapping, name: str, default: str, problems: list[Problem]) -> str:
    value = shapes.scalar(tree, name, problems)
    return default if value is None else value.text


def _strings(tree: Mapping, name: str, problems: list[Problem]) -> dict[str, str]:
    """A mapping of strings: other scalars become what Java prints of them."""
    shapes.texts(tree, name, problems)
    found = tree.get(name)
    if not isinstance(found, Mapping):
        return {}
    return {java_text(key): java_text(value) for key, value in found.entries if isinstance(value, Scalar)}


def _duplicates(tree: Mapping, name: str, problems: list[Problem]) -> None:
    """Answers name instances and requests, so that two of one name cannot be told apart."""
    seen: set[str] = set()
    for each in _mappings(tree, name):
        value = each.get("name")
        if isinstance(value, Scalar):
            if value.text in seen:
                problems.append(Problem(value.where, f"two {name} are named {value.text}: rename one"))
            seen.add(value.text)


def _mappings(tree: Mapping, name: str) -> list[Mapping]:
    found = tree.get(name)
    return [each for each in found.items if isinstance(each, Mapping)] if isinstance(found, Sequence) else []
