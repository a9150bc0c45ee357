"""Runs tag rules (TagStateRouter; dubbo-go: cluster/router/tag)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import addresses
from .matching import holds_for_instance

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..positions import Position
    from ..stages import TagGroup, TagStage
    from ..worlds import Instance, Request, World
    from . import Left

_TAG = "dubbo.tag"
_FORCE = "dubbo.force.tag"


def run(stage: TagStage, request: Request, world: World, left: Left, touched: list[Position]) -> Left:
    """The instances that tags leave for a request."""
    return _Run(stage, request, world, left, touched).result() if left else left


def requested_tag(request: Request, *, is_go: bool = False) -> str:
    """The tag that a request asks for; empty if it asks for none.

    In dubbo-go an attachment that is empty hides the consumer's parameter.
    """
    if is_go and _TAG in request.attachments:
        return request.attachments[_TAG]
    return request.attachments.get(_TAG) or request.consumer.params.get(_TAG, "")


def is_forced(request: Request) -> bool:
    """Whether a request does without an instance rather than have one of another tag."""
    return request.attachments.get(_FORCE, request.consumer.params.get(_FORCE, "false")).lower() == "true"


class _Run:
    def __init__(
        self, stage: TagStage, request: Request, world: World, left: Left, touched: list[Position]
    ) -> None:
        self._stage = stage
        self._request = request
        self._world = world
        self._left = left
        self._touched = touched
        self._groups = self._by_name()

    def result(self) -> Left:
        tag = requested_tag(self._request, is_go=self._stage.is_go)
        forced = is_forced(self._request)
        if self._stage.scope is None:
            return self._static(tag, forced=forced)
        if self._stage.is_go:
            return self._go(tag, forced=forced)
        return self._tagged(tag, forced=forced) if tag else self._untagged()

    def _static(self, tag: str, *, forced: bool) -> Left:
        """By instances' own tags only."""
        if not tag:
            return self._where(lambda one: not one.params.get(_TAG))
        found = self._where(lambda one: one.params.get(_TAG) == tag)
        return found if found or forced else self._where(lambda one: not one.params.get(_TAG))

    def _tagged(self, tag: str, *, forced: bool) -> Left:
        group = self._group_of(tag, forced=forced)
        if group is None:
            found = self._where(lambda one: one.params.get(_TAG) == tag)
        else:
            self._touched.append(group.where)
            found = self._where(lambda one: self._is_in(group, one))
            if found or self._stage.force:
                return found
        if found or forced:
            return found
        return self._where(lambda one: not self._is_in_any(one) and not one.params.get(_TAG))

    def _untagged(self) -> Left:
        self._touched += [group.where for group in self._stage.groups]
        names = {group.name for group in self._stage.groups}
        keeps = self._stage.keeps_other_static_tags
        return self._where(
            lambda one: (
                not self._is_in_any(one)
                and (not one.params.get(_TAG) or (keeps and one.params[_TAG] not in names))
            )
        )

    def _group_of(self, tag: str, *, forced: bool) -> TagGroup | None:
        """The group of a tag, or of the nearest level above; one without instances does not count."""
        parts = [part for part in tag.split("|") if part] if "|" in tag else [tag]
        if forced or not self._stage.levels or len(parts) < 2:
            return self._groups.get(tag)
        candidates = ["|".join(parts[:size]) for size in range(len(parts), 0, -1)]
        return next((group for name in candidates if (group := self._groups.get(name))), None)

    def _by_name(self) -> dict[str, TagGroup]:
        """The groups that name instances. Of several of a name, one by match counts, or else the last."""
        if self._stage.is_go:
            return {group.name: group for group in self._stage.groups}
        found = {group.name: group for group in self._stage.groups if group.addresses is not None}
        by_match = [
            group for group in self._stage.groups if group.addresses is None and group.match is not None
        ]
        for group in by_match:
            if any(self._is_in(group, one) for one in self._world.instances):
                found[group.name] = group
        return found

    def _is_in(self, group: TagGroup, one: Instance) -> bool:
        if group.match is not None and (self._stage.is_go or group.addresses is None):
            return all(holds_for_instance(test, one, self._request) for test in group.match)
        return self._is_named_by(group, one)

    def _is_named_by(self, group: TagGroup | None, one: Instance) -> bool:
        patterns = (group.addresses if group else None) or ()
        return addresses.are_of(patterns, one, wildcards=self._stage.address_patterns)

    def _is_in_any(self, one: Instance) -> bool:
        # Up to 3.1 all groups count, also those whose name comes again.
        groups = self._stage.groups if self._stage.keeps_other_static_tags else self._groups.values()
        return any(self._is_in(group, one) for group in groups)

    def _go(self, tag: str, *, forced: bool) -> Left:
        """dubbo-go: untagged requests may reach the instances of groups by match, and force counts always."""
        by_address = [group for group in self._stage.groups if group.addresses is not None]
        if not tag:
            self._touched += [group.where for group in by_address]
            return self._where(
                lambda one: (
                    not one.params.get(_TAG)
                    and not any(self._is_named_by(group, one) for group in by_address)
                )
            )
        group = self._groups.get(tag)
        if group is not None:
            self._touched.append(group.where)
        if group is None or (group.addresses is None and not group.match):
            found = self._where(lambda one: one.params.get(_TAG, "") == tag)
        else:
            found = self._where(lambda one: self._is_in(group, one))
        if found or self._stage.force or forced:
            return found
        return self._where(lambda one: not one.params.get(_TAG) and not self._is_named_by(group, one))

    def _where(self, holds: Callable[[Instance], bool]) -> Left:
        return tuple([one for one in self._left if holds(self._world.instances[one])])
