"""Configurators as timeouts, retries and errors of routes, and as policies of hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..verdicts import Remark, Verdict
from . import parameters, predicates, scoping, setting_scopes
from .steps import Step
from .values import InexpressibleError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..directory import Host
    from ..model import Parameter
    from ..resources import TrafficPolicy
    from ..stages import Setting
    from .steps import Alternatives, Predicate


class Settings(NamedTuple):
    """What configurators set for a host.

    Attributes:
        steps: those that are about calls.
        policy: those that are about all calls of a caller's proxy.
        access_log: whether the pods log requests.
    """

    steps: tuple[Alternatives, ...]
    policy: TrafficPolicy
    access_log: bool


def express(
    settings: Iterable[Setting], host: Host, policy: TrafficPolicy, remarks: list[Remark]
) -> Settings:
    """What settings become for a host; `remarks` gains what is said of each parameter."""
    steps: list[Alternatives] = []
    access_log = False
    for setting in settings:
        try:
            when = setting_scopes.predicate(setting, host)
        except InexpressibleError as error:
            remarks += _all_cannot(setting, error)
            continue
        if when is None:
            continue
        found = parameters.express(setting)
        remarks += found.remarks
        sources = {source for tune in found.tunes for source in tune.sources}
        remarks += [
            Remark(Verdict.APPROXIMATE, parameter.where, _subject(parameter), note)
            for parameter in setting.item.parameters
            if parameter.where in sources
            for note in setting_scopes.notes(setting)
        ]
        for tune in found.tunes:
            scoped = _of_method(when, tune.method)
            steps.append((Step(scoped, tune.effect, tune.sources),))
        for changes in found.policies:
            policy = policy._replace(**changes)
        access_log = access_log or found.access_log
    return Settings(tuple(steps), policy, access_log)


def homeless(setting: Setting) -> Iterator[Remark]:
    """What is said of a setting that is for no host that is known."""
    scope = setting.scope
    if scope.application is None:
        yield scoping.unknown_provider(scope)
        return
    if setting.side == "provider":
        message = f"the application {scope.application} is not known: give --protos, --world or --app"
    else:
        message = (
            f"with side: consumer it is about calls that {scope.application} makes, and so about other "
            "hosts, of which none is known: give the protos of the services that it calls"
        )
    yield from _all_cannot(setting, InexpressibleError(message))


def _of_method(when: Predicate, method: str | None) -> Predicate:
    return when if method is None else when._replace(methods=predicates.exactly(method))


def _all_cannot(setting: Setting, error: InexpressibleError) -> Iterator[Remark]:
    for parameter in setting.item.parameters:
        yield error.remark(parameter.where, _subject(parameter))
    for remark in parameters.express(setting).remarks:
        if remark.verdict is Verdict.CANNOT:
            yield remark


def _subject(parameter: Parameter) -> str:
    return f"{parameter.name}: {parameter.value.text}"
