"""Writes stages as Istio's resources."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..resources import HostFile, Translation
from ..stages import AffinityStage, ConditionStage, MeshStage, TagStage
from ..verdicts import Remark, Verdict
from . import affinity, conditions, mesh, routes, scoping, setting_scopes, settings, tags
from . import denials as denying
from .base import base
from .product import Product
from .subsets import Subsets
from .values import InexpressibleError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..dialects import Dialect
    from ..directory import Directory, Host
    from ..positions import Position
    from ..stages import Interpretation, Scope, Setting, Stage
    from .steps import Alternatives

_MANY = 1_000


def express(interpretation: Interpretation, directory: Directory, dialect: Dialect) -> Translation:
    """The resources of each host that rules concern, and the remarks on each line.

    Args:
        interpretation: what the rules mean.
        directory: the hosts.
        dialect: the version of Dubbo, which the files name.
    """
    remarks = list(interpretation.remarks)
    files: list[HostFile] = []
    for host in directory.hosts:
        stages = [stage for stage in interpretation.stages if _concerns(stage, host)]
        configured = [each for each in interpretation.settings if setting_scopes.concerns(each, host)]
        file = _file(host, stages, configured, directory, dialect, remarks)
        unchanged = _file(host, [], [], directory, dialect, [])
        if file._replace(sources=()) != unchanged:
            files.append(file)
    remarks += [
        _homeless(stage.scope)
        for stage in interpretation.stages
        if stage.scope and not any(_concerns(stage, host) for host in directory.hosts)
    ]
    for each in interpretation.settings:
        if not any(setting_scopes.concerns(each, host) for host in directory.hosts):
            remarks += settings.homeless(each)
    return Translation(tuple(files), tuple(dict.fromkeys(remarks)))


def _concerns(stage: Stage, host: Host) -> bool:
    """Whether a rule is for a host. Those of a consumer's concern all hosts that it may call."""
    scope = stage.scope
    if isinstance(stage, TagStage):  # which Dubbo looks up by the provider's application
        return scope is None or scope.application in {None, host.name}
    if scope is None or scope.service is None:
        return True
    return scope.service in host.services


def _homeless(scope: Scope) -> Remark:
    if not scope.service and not scope.application:
        return Remark(
            Verdict.CANNOT,
            scope.where,
            "key",
            "the rule has no key, and its file is not named after a data id: it is not known whom it is for",
            "write the key, or name the file as in the configuration center, such as "
            "com.acme.OrderService.condition-router",
        )
    if scope.service is None:
        return Remark(
            Verdict.CANNOT,
            scope.where,
            f"key: {scope.key}",
            f"it is not known which services {scope.application} provides",
            f"give --protos, --world or --app SERVICE={scope.application}",
        )
    return scoping.unknown_provider(scope)


def _file(
    host: Host,
    stages: list[Stage],
    configured: list[Setting],
    directory: Directory,
    dialect: Dialect,
    remarks: list[Remark],
) -> HostFile:
    combined: list[Remark] = []

    def note(sources: tuple[Position, ...], why: str) -> None:
        combined.extend(Remark(Verdict.APPROXIMATE, where, "", why) for where in sources)

    given = base(host)
    product = Product(given.drafts, note)
    left, denials = denying.denied(stages, host, directory, remarks)
    tuned = settings.express(configured, host, affinity.policy(stages, host, given.policy), remarks)
    for alternatives in (*_alternatives(host, left, directory, remarks), *tuned.steps):
        try:
            product.apply(alternatives)
        except InexpressibleError as error:
            remarks += [
                Remark(Verdict.CANNOT, where, "", str(error), "split the rule, or name fewer values")
                for step in alternatives
                for where in step.sources
            ]
    remarks += combined
    subsets = Subsets(given.subsets)
    found = routes.routes(host.name, product.drafts(), subsets, _texts(stages, remarks), given.entries)
    if len(found) > _MANY:
        why = f"{len(found)} routes: Envoy tries routes in order, so that later ones cost more for each call"
        places = [(stage.scope.where, stage.scope.key) for stage in stages if stage.scope]
        remarks += [Remark(Verdict.EXACT, where, f"key: {key}", why) for where, key in places]
    return HostFile(
        name=host.name,
        namespace=host.namespace,
        routes=found,
        subsets=subsets.all(),
        policy=tuned.policy,
        denials=denials,
        access_log=tuned.access_log,
        selector=host.selector,
        pod_labels=_pod_labels(subsets),
        dialect=dialect.name,
        sources=tuple(dict.fromkeys(where.file for route in found for where in route.sources)),
        ports=host.ports,
        emitted=host.emitted,
    )


def _alternatives(
    host: Host, stages: list[Stage], directory: Directory, remarks: list[Remark]
) -> Iterator[Alternatives]:
    for stage in stages:
        match stage:
            case ConditionStage():
                yield from conditions.steps(stage, host, remarks)
            case AffinityStage():
                yield from affinity.steps(stage, host, remarks)
            case MeshStage():
                yield from mesh.steps(stage, host, remarks)
            case TagStage():
                yield from tags.steps(stage, host, directory.untagged, remarks)
            case _:
                pass


def _texts(stages: list[Stage], remarks: list[Remark]) -> dict[Position, str]:
    """What each line says, for comments."""
    found = {remark.where: remark.subject for remark in reversed(remarks) if remark.subject}
    for stage in stages:
        match stage:
            case ConditionStage(filters=filters):
                found |= {line.where: line.text for line in filters}
            case TagStage(groups=groups):
                found |= {group.where: f"tag {group.name}" for group in groups}
            case _:
                pass
    return found


def _pod_labels(subsets: Subsets) -> tuple[tuple[str, tuple[str, ...]], ...]:
    found: dict[str, dict[str, None]] = {}
    for subset in subsets.all():
        wishes = [
            (key, value) for key, equal, value in (each.partition("=") for each in subset.prefer) if equal
        ]
        for key, value in (*subset.labels, *wishes):
            found.setdefault(key, {})[value] = None
    return tuple([(key, tuple(values)) for key, values in sorted(found.items())])
