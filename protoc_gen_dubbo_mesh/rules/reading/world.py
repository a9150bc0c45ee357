"""Worlds: `service`, `application`, `instances`, `requests`, and `split`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..model import Scalar
from ..worlds import Consumer, Instance, Request, World
from .tree import Mapping, Sequence, documents

if TYPE_CHECKING:
    from ..problems import Problem
    from .tree import Node


def read(file: str, problems: list[Problem]) -> World:
    """Reads a world."""
    found = documents(Path(file).read_text(encoding="utf-8-sig"), file)
    problems += found.problems
    tree = found.trees[0] if found.trees else None
    if not isinstance(tree, Mapping):
        raise NotImplementedError
    service, application = _text(tree, "service", "svc"), _text(tree, "application", "provider-app")
    return World(
        service,
        application,
        tuple([_instance(each, application) for each in _list(tree, "instances")]),
        tuple([_request(each, service) for each in _list(tree, "requests")]),
        _text(tree, "split", "") == "true",
    )


def _instance(tree: Mapping, application: str) -> Instance:
    address = _text(tree, "address", "10.0.0.1:50051")
    host, _, port = address.rpartition(":")
    name = _text(tree, "name", address)
    return Instance(
        name, host, int(port), _text(tree, "application", application), _texts(tree.get("params"))
    )


def _request(tree: Mapping, service: str) -> Request:
    consumer = tree.get("consumer")
    if not isinstance(consumer, Mapping):
        consumer = Mapping((), tree.where)
    arguments = tree.get("arguments")
    return Request(
        name=_text(tree, "name", "?"),
        service=_text(tree, "service", service),
        method=_text(tree, "method", "call"),
        version=_text(tree, "version", "") or None,
        group=_text(tree, "group", "") or None,
        consumer=Consumer(
            _text(consumer, "application", "consumer-app"),
            _text(consumer, "host", "10.9.9.9"),
            _texts(consumer.get("params")),
        ),
        attachments=_texts(tree.get("attachments")),
        arguments=tuple([each.text for each in arguments.items if isinstance(each, Scalar)])
        if isinstance(arguments, Sequence)
        else (),
    )


def _list(tree: Mapping, name: str) -> list[Mapping]:
    value = tree.get(name)
    return [each for each in value.items if isinstance(each, Mapping)] if isinstance(value, Sequence) else []


def _text(tree: Mapping, name: str, default: str) -> str:
    value = tree.get(name)
    return value.text if isinstance(value, Scalar) else default


def _texts(node: Node | None) -> dict[str, str]:
    if not isinstance(node, Mapping):
        return {}
    return {key.text: value.text for key, value in node.entries if isinstance(value, Scalar)}
