"""Makes a world of a request that is given by arguments."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from ..errors import GenerationError
from .interpreting.scopes import scope
from .model import Condition, ConditionRule, MeshRule, SharedCondition
from .worlds import Consumer, Instance, Request, World

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator, Sequence

    from .model import Rule, Term

_MOST_INSTANCES = 64
_HOST, _PORT = "10.0.0.", 50051


def world_for(arguments: Namespace, rules: Sequence[Rule], world: World | None) -> World:
    """A world with the request that the arguments describe.

    Args:
        arguments: `method`, `service`, `app`, `header` and `label`.
        rules: the rules, which name a service and parameters of instances.
        world: the instances; None: they are made up.

    Raises:
        GenerationError: the service is not known.
    """
    group, version = None, None
    service = arguments.service or (world.service if world else _service(rules))
    if not service:
        raise GenerationError("the rules name no service, or several: give --service SERVICE")
    if arguments.service:
        group, slash, rest = service.rpartition("/")
        group = group if slash else None
        service, _, version = rest.partition(":")
    request = Request(
        name=arguments.method,
        service=service,
        method=arguments.method,
        version=version or None,
        group=group,
        consumer=Consumer(arguments.app or "consumer-app", "10.9.9.9", dict(arguments.label)),
        attachments=dict(arguments.header),
        arguments=(),
    )
    if world is not None:
        return world._replace(requests=(request,))
    application = _application(rules) or service.rpartition(".")[2].lower()
    return World(service, application, tuple(_instances(rules, application)), (request,))


def _service(rules: Sequence[Rule]) -> str:
    """The service that all keys name."""
    named = {found.service for rule in rules if (found := scope(rule.header)).service}
    return named.pop() or "" if len(named) == 1 else ""


def _application(rules: Sequence[Rule]) -> str:
    named = {found.application for rule in rules if (found := scope(rule.header)).application}
    return named.pop() or "" if len(named) == 1 else ""


def _instances(rules: Sequence[Rule], application: str) -> Iterator[Instance]:
    """An instance for each set of values of parameters that rules name, and one without any."""
    values: dict[str, dict[str, None]] = {}
    for key, value in _named(rules):
        values.setdefault(key, {})[value] = None
    choices = [[None, *found] for found in values.values()]
    number = 1
    for chosen in product(*choices):
        params = {key: value for key, value in zip(values, chosen, strict=True) if value is not None}
        name = ",".join(f"{key}={value}" for key, value in params.items()) or "others"
        yield Instance(name, f"{_HOST}{number}", _PORT, application, params)
        number += 1
        if number > _MOST_INSTANCES:
            return


def _named(rules: Sequence[Rule]) -> Iterator[tuple[str, str]]:
    for rule in rules:
        if isinstance(rule, ConditionRule):
            for condition in rule.conditions:
                for term in _terms(condition):
                    values = (*term.equal, *term.unequal)
                    yield from ((term.key, value) for value in values if _is_plain(value))
        elif isinstance(rule, MeshRule):
            for subset in rule.subsets:
                yield from subset.labels


def _terms(condition: Condition | SharedCondition) -> Iterator[Term]:
    if isinstance(condition, Condition):
        yield from condition.then
    else:
        for destination in condition.to:
            yield from destination.then


def _is_plain(value: str) -> bool:
    return "*" not in value and not value.startswith("$")
