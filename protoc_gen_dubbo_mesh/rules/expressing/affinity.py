"""Affinity rules: preferred pods, for the whole host or for one of its services."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...policy.labels import is_name
from ..stages import AffinityStage
from ..verdicts import Remark, Verdict
from . import scoping
from .steps import Branch, Narrow, Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..directory import Host
    from ..resources import TrafficPolicy
    from ..stages import Stage
    from .steps import Alternatives

_RATIO = (
    "ratio: {ratio}: Dubbo uses the pods with the caller's {key} only if they are at least {ratio} % of all, "
    "which has no counterpart in Istio: it prefers them as long as enough of them are healthy"
)
_NONE = "with ratio 0, Dubbo returns no instance at all if none has the caller's {key}; Istio uses the others"
_LABELS = "pods of callers need the label {key}, too"
_OUTLIERS: tuple[tuple[str, str | int], ...] = (
    ("consecutive5xxErrors", 5),
    ("interval", "10s"),
    ("baseEjectionTime", "30s"),
    ("maxEjectionPercent", 100),
)


def policy(stages: Iterable[Stage], host: Host, found: TrafficPolicy) -> TrafficPolicy:
    """The policy of a host with what affinity rules for all of its services prefer."""
    wishes = [stage.key for stage in stages if isinstance(stage, AffinityStage) and _is_for_all(stage, host)]
    if not any(map(is_name, wishes)):
        return found
    return found._replace(
        prefer=tuple(dict.fromkeys([*found.prefer, *filter(is_name, wishes)])),
        outliers=found.outliers or _OUTLIERS,
    )


def steps(stage: AffinityStage, host: Host, remarks: list[Remark]) -> Iterator[Alternatives]:
    """What is said of a rule, and the step for one that is for some services of the host only."""
    subject = f"affinityAware: {stage.key}"
    if not is_name(stage.key):
        remarks.append(
            Remark(
                Verdict.CANNOT,
                stage.where,
                subject,
                f"{stage.key} cannot be a label of pods",
                "use a parameter that can",
            )
        )
        return
    why = _RATIO if stage.ratio else _NONE
    remarks.append(
        Remark(Verdict.APPROXIMATE, stage.ratio_where, subject, why.format(ratio=stage.ratio, key=stage.key))
    )
    remarks.append(Remark(Verdict.APPROXIMATE, stage.where, subject, _LABELS.format(key=stage.key)))
    if not _is_for_all(stage, host):
        branch = Branch(1, (), (stage.key,))
        yield (Step(scoping.predicate(stage.scope, host), Narrow((branch,)), (stage.where,)),)


def _is_for_all(stage: AffinityStage, host: Host) -> bool:
    scope = stage.scope
    if scope.version or scope.group:
        return False
    if scope.application is not None:
        return scope.application == host.name
    return set(host.services) <= {scope.service}
