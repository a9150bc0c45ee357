"""Tags: the header `dubbo.tag`, or the label of that name on the caller's pods, chooses labels of pods.

What is left for requests without a tag are the pods that are in no group, which labels cannot say: a subset's
labels are equal to a value, and never unequal. So these pods need a label of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..stages import Glob
from ..verdicts import Remark, Verdict
from . import instances, predicates, scoping, tag_instances
from .predicates import EVERYTHING
from .steps import Branch, Narrow, Predicate, Refuse, Step, Values
from .values import InexpressibleError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...policy.model import Labels
    from ..directory import Host
    from ..positions import Position
    from ..stages import TagGroup, TagStage
    from .steps import Alternatives

_TAG = "dubbo.tag"
_FORCE = "dubbo.force.tag"
_FORCED = (_FORCE, Values((Glob("true"), Glob("True"), Glob("TRUE"))))
_ABSENT = Values(denied=(Glob("", star=True),))

_UNTAGGED = "requests without a tag, or with one that no pod has, go to pods in no group"
_NO_NEGATION = f"{_UNTAGGED}: a subset cannot say that, and all pods would be wrong"
_GIVE_UNTAGGED = "label the pods that have no tag, and give that label with --untagged KEY=VALUE"
_FALLS_BACK = (
    "without force, pods with {wish} are preferred, and any others serve if there are none, where Dubbo uses "
    "pods without a tag only; a request with dubbo.force.tag: true gets none, as in Dubbo"
)
_FALLS_BACK_GO = "without force, pods with {wish} are preferred, and others serve if there are none"
_NEVER_EMPTY = (
    "if no pod at all has {wish}, Dubbo takes the tag for an unknown one and uses pods without a tag; in "
    "Istio such calls fail"
)
_CALLERS = (
    "a tag is the header dubbo.tag, or else the label dubbo.tag of the caller's pods (sourceLabels), which "
    "need the value that the consumer's parameter has in Dubbo; with the header dubbo.force.tag: true, "
    "requests with a tag that no pod has are refused"
)
_UNKNOWN_LABEL = (
    "dubbo-go refuses calls of consumers whose own parameter dubbo.tag is unknown; in Istio labels that no "
    "route names do not count"
)
_LEVELS = (
    "it has levels: a longer tag that is unknown, {name}|…, is taken for {name} (in Istio by the prefix of "
    "the header), but not with dubbo.force.tag"
)
_NO_LEVELS = "this version of Dubbo does not know levels of tags: {name} is a name like any other"
_NO_LABEL = (
    "consumers with the parameter dubbo.tag={name} cannot have it as a label: have them send the header"
)


class _Tag(NamedTuple):
    """A tag whose pods labels can tell.

    Attributes:
        name: the tag.
        labels: of its pods.
        sources: the line that it is from.
    """

    name: str
    labels: Labels
    sources: tuple[Position, ...]


def steps(
    stage: TagStage, host: Host, untagged: tuple[str, str] | None, remarks: list[Remark]
) -> Iterator[Alternatives]:
    """The steps of tags, of which the first that matches a request counts.

    Args:
        stage: the tags.
        host: the host, with what is known of its pods.
        untagged: the label of pods that have no tag.
        remarks: gains what is said of the lines.
    """
    if stage.scope is None and not any(instance.params.get(_TAG) for instance in host.instances):
        return
    scope = Predicate() if stage.scope is None else scoping.predicate(stage.scope, host)
    groups = {group.name: group for group in stage.groups}
    tags = [tag for group in groups.values() if (tag := _tag(group, stage, host, remarks)) is not None]
    for group in stage.groups[:1]:
        remarks.append(Remark(Verdict.EXACT, group.where, _TAG, _CALLERS))
        if stage.is_go and stage.force:
            remarks.append(Remark(Verdict.APPROXIMATE, group.where, _TAG, _UNKNOWN_LABEL))
    tags += _static_tags(stage, host, set(groups))
    found = [_unknown(tags, stage)]
    for tag in sorted(tags, key=lambda each: -each.name.count("|")):
        found += _tagged(tag, stage, has_levels=stage.levels and tag.name in groups)
    if _separates(stage, host):
        rest = _rest(stage, host, untagged, remarks)
        if rest is not None:
            found.append(rest)
    alternatives: list[Step] = []
    for step in found:
        when = predicates.both(step.when, scope)
        if when is not None:
            alternatives.append(step._replace(when=when))
    if alternatives:
        yield tuple(alternatives)


def _tag(group: TagGroup, stage: TagStage, host: Host, remarks: list[Remark]) -> _Tag | None:
    """The pods of a group; None if labels cannot tell them."""
    subject = f"tag {group.name}"
    if "|" in group.name:
        why = (_LEVELS if stage.levels else _NO_LEVELS).format(name=group.name)
        remarks.append(Remark(Verdict.EXACT, group.where, subject, why))
    if group.addresses is not None:
        why, advice = tag_instances.fixed_addresses(group, stage, host)
        remarks.append(Remark(Verdict.CANNOT, group.where, subject, why, advice))
        return None
    if not group.match:
        why = "it has no addresses and no match, so requests with it are like those with an unknown tag"
        remarks.append(Remark(Verdict.INACTIVE, group.where, subject, why))
        return None
    try:
        labels = instances.labels(group.match, EVERYTHING, host)
    except InexpressibleError as error:
        why = f"{error.why} (exact, and no prefix, regex or such)"
        remarks.append(error.remark(group.where, subject)._replace(why=why))
        return None
    if labels is None:
        why = "no instance can match it, so requests with it are like those with an unknown tag"
        remarks.append(Remark(Verdict.INACTIVE, group.where, subject, why))
        return None
    remarks += _said(group, labels, stage)
    return _Tag(group.name, labels, (group.where,))


def _said(group: TagGroup, labels: Labels, stage: TagStage) -> Iterator[Remark]:
    subject = f"tag {group.name}"
    wish = " and ".join([f"{key}={value}" for key, value in labels])
    if not stage.force:
        why = _FALLS_BACK_GO if stage.is_go else _FALLS_BACK
        yield Remark(Verdict.APPROXIMATE, group.where, subject, why.format(wish=wish))
    elif not stage.is_go:
        yield Remark(Verdict.APPROXIMATE, group.where, subject, _NEVER_EMPTY.format(wish=wish))
    if not instances.is_label(_TAG, group.name):
        yield Remark(Verdict.APPROXIMATE, group.where, subject, _NO_LABEL.format(name=group.name))


def _static_tags(stage: TagStage, host: Host, known: set[str]) -> list[_Tag]:
    """Instances' own tags, as far as instances are known: the label that the parameter becomes."""
    names = dict.fromkeys([instance.params.get(_TAG, "") for instance in host.instances])
    sources = () if stage.scope is None else (stage.scope.where,)
    return [
        _Tag(name, ((_TAG, name),), sources)
        for name in names
        if name and name not in known and instances.is_label(_TAG, name)
    ]


def _unknown(tags: list[_Tag], stage: TagStage) -> Step:
    """Requests with a tag that is not known: with `dubbo.force.tag` they get no instance."""
    sources = () if stage.scope is None else (stage.scope.where,)
    header = (_TAG, Values(None, tuple([Glob(tag.name) for tag in tags]), required=True))
    always = stage.is_go and stage.force
    return Step(Predicate(headers=(header,) if always else (_FORCED, header)), Refuse(503), sources)


def _tagged(tag: _Tag, stage: TagStage, *, has_levels: bool) -> Iterator[Step]:
    """The steps of a tag. Those with the same effect are neighbours, so that they become one route.

    With levels, `gray|east` is `gray` if there is no such tag: the steps of longer names come before.
    """
    chosen = [Predicate(headers=((_TAG, predicates.exactly(tag.name)),))]
    if instances.is_label(_TAG, tag.name):
        chosen.append(Predicate(headers=((_TAG, _ABSENT),), source_labels=((_TAG, tag.name),)))
    if not stage.force:
        for when in chosen:
            yield Step(when._replace(headers=(_FORCED, *when.headers)), _strictly(tag), tag.sources)
    if has_levels:
        lower = Values((Glob(f"{tag.name}|", star=True),))
        chosen.insert(1, Predicate(headers=((_TAG, lower),)))
    for when in chosen:
        yield Step(when, _narrowed(tag, stage), tag.sources)


def _separates(stage: TagStage, host: Host) -> bool:
    """Whether requests without a tag are kept from any instances."""
    if any(instance.params.get(_TAG) for instance in host.instances):
        return True
    return any(group.addresses is not None or (group.match and not stage.is_go) for group in stage.groups)


def _rest(
    stage: TagStage, host: Host, untagged: tuple[str, str] | None, remarks: list[Remark]
) -> Step | None:
    """Requests without a tag, or with an unknown one."""
    sources = tuple([group.where for group in stage.groups[:1]])
    if untagged is None:
        remarks += [Remark(Verdict.CANNOT, each, _UNTAGGED, _NO_NEGATION, _GIVE_UNTAGGED) for each in sources]
        return None
    verdict, why = tag_instances.checked_untagged(stage, host, untagged)
    remarks += [Remark(verdict, each, _UNTAGGED, why) for each in sources]
    return Step(Predicate(), Narrow((Branch(1, (untagged,)),)), sources)


def _strictly(tag: _Tag) -> Narrow:
    return Narrow((Branch(1, tag.labels),))


def _narrowed(tag: _Tag, stage: TagStage) -> Narrow:
    if stage.force:
        return _strictly(tag)
    return Narrow((Branch(1, (), tuple([f"{key}={value}" for key, value in tag.labels])),))
