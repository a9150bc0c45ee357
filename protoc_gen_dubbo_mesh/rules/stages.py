"""What rules mean to one version of Dubbo: stages, which a request's instances pass one after another.

`interpreting` makes them and settles all that versions disagree on; `deciding` runs them, `expressing`
translates them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .model import ConfigItem, Rule
    from .positions import Position
    from .verdicts import Remark


class Glob(NamedTuple):
    """Text that begins and ends like this. Without `star` it is all of the text (`prefix`).

    `x*x` holds for `x`: the end may overlap the beginning (WildcardValuePattern).
    """

    prefix: str
    star: bool = False
    suffix: str = ""

    def holds(self, value: str) -> bool:
        """Whether it holds for a value."""
        if not self.star:
            return value == self.prefix
        return value.startswith(self.prefix) and value.endswith(self.suffix)


class Range(NamedTuple):
    """Integers from `low` to `high`, both included; None has no end.

    Attributes:
        low, high: the ends.
        word_is_zero: whether what has not only digits counts as 0 (Java); otherwise signs are read (Go).
        otherwise: whether it holds for what is no number.
    """

    low: int | None
    high: int | None
    word_is_zero: bool
    otherwise: bool = False

    def holds(self, value: str) -> bool:
        """Whether it holds for a value."""
        number = self._number(value)
        if number is None:
            return self.otherwise
        return (self.low is None or self.low <= number) and (self.high is None or number <= self.high)

    def _number(self, value: str) -> int | None:
        if self.word_is_zero:
            if not (value.isascii() and value.isdigit()):
                return 0
            return int(value) if int(value) < 2**31 else None
        digits = value[1:] if value[:1] in {"+", "-"} else value
        return int(value) if digits.isascii() and digits.isdigit() and abs(int(value)) < 2**63 else None


class Regex(NamedTuple):
    """Text that a regular expression of Java's or Go's matches, in full or, in dubbo-go, anywhere."""

    regex: str
    anywhere: bool = False


class Reference(NamedTuple):
    """`$zone` on the right side: the value of a parameter of the consumer's."""

    param: str


class Constant(NamedTuple):
    """Holds for every value that is present, or for none."""

    holds: bool


class Method(NamedTuple):
    """The method that is called."""


class Attachment(NamedTuple):
    """An attachment of the request.

    Attributes:
        key: its key; empty for a key that Dubbo cannot read, such as one with a dot.
        not_found: the value in its place if there is no such key; None: it counts as absent.
    """

    key: str
    not_found: str | None = None


class Argument(NamedTuple):
    """An argument of the call.

    Attributes:
        position: its position, from 0; -1 for a key that Dubbo cannot read.
        not_found: the value in its place if there are fewer arguments; None: it counts as absent.
        crashes: whether Dubbo crashes if it is the position behind the last argument.
    """

    position: int
    not_found: str | None = None
    crashes: bool = False


class Param(NamedTuple):
    """A parameter of the consumer's URL (on the left), or of the instance's (on the right)."""

    key: str


class Place(NamedTuple):
    """A part of a URL that is not a parameter: host, port, address, protocol, path."""

    part: str


Pattern = Glob | Range | Regex | Reference | Constant
Subject = Method | Attachment | Argument | Param | Place


class Test(NamedTuple):
    """A test of one value of a request or an instance.

    Attributes:
        subject: which value.
        equal: one of these must hold; empty: any value.
        unequal: none of these may hold.
        if_absent: the result for a value that is absent.
        empty_is_absent: whether an empty value counts as absent.
    """

    subject: Subject
    equal: tuple[Pattern, ...]
    unequal: tuple[Pattern, ...]
    if_absent: bool
    empty_is_absent: bool = False


class WhenEmpty(StrEnum):
    """What happens if a condition leaves no instance."""

    NONE = "none"
    """No instance is left (force)."""
    SKIP = "skip"
    """The condition is skipped."""
    SKIP_RULE = "skip-rule"
    """The whole rule is skipped."""


class Choice(NamedTuple):
    """Where the requests of a condition go.

    Attributes:
        tests: of instances; all must hold.
        weight: its share, relative to the others.
        where, text: where it stands, and what it says.
    """

    tests: tuple[Test, ...]
    weight: int
    where: Position
    text: str


class Filter(NamedTuple):
    """A condition: requests for which all tests hold go to one of its choices.

    Attributes:
        when: tests of requests; all must hold.
        choices: without any it denies. Those without instances drop out.
        where, text: where it stands, and what it says.
    """

    when: tuple[Test, ...]
    choices: tuple[Choice, ...]
    where: Position
    text: str


class Scope(NamedTuple):
    """Which requests a rule is for, by its key.

    Attributes:
        service: the service; None: all services.
        version, group: of the service; None: those without.
        application: the application of scope `application`, provider or consumer; None for scope `service`.
        is_consumer: whether it can only be the consumer, as up to Dubbo 3.1.
        key: as it is in the file.
        where: where it stands.
    """

    service: str | None
    version: str | None
    group: str | None
    application: str | None
    key: str
    where: Position
    is_consumer: bool = False


class ConditionStage(NamedTuple):
    """The conditions of a rule, one after another.

    Attributes:
        scope: which requests it is for.
        filters: the conditions.
        when_empty: what happens if one leaves no instance.
        shares_off_by_one: the first choice gets one part of the weight more
            (DestinationSet.randDestination: sum <= 0).
        denies: whether conditions without choices deny; dubbo-go's v3.0 needs force for that.
    """

    scope: Scope
    filters: tuple[Filter, ...]
    when_empty: WhenEmpty
    shares_off_by_one: bool = False
    denies: bool = True


class TagGroup(NamedTuple):
    """The instances of a tag.

    Attributes:
        name: the tag.
        addresses: patterns of addresses; None: they do not count.
        match: tests of instances, of which one suffices (see `any_of`); None: it does not count.
        where: where it stands.
    """

    name: str
    addresses: tuple[str, ...] | None
    match: tuple[Test, ...] | None
    where: Position


class TagStage(NamedTuple):
    """Tags, by a rule or by instances' own parameter `dubbo.tag`.

    Attributes:
        scope: which requests it is for; None: there is no rule, only instances' own tags.
        groups: the tags of the rule.
        force: whether a known tag without instances leaves none.
        levels: whether `a|b` falls back to `a`.
        address_patterns: whether addresses may be CIDR ranges and wildcards.
        is_go: whether it is dubbo-go's, which differs in what an unknown tag does.
        keeps_other_static_tags: whether untagged requests may reach instances whose own tag no group has.
    """

    scope: Scope | None
    groups: tuple[TagGroup, ...]
    force: bool
    levels: bool
    address_patterns: bool
    is_go: bool
    keeps_other_static_tags: bool = False


class AffinityStage(NamedTuple):
    """Prefers instances with the consumer's value of a parameter, if they are at least `ratio` percent.

    Attributes:
        scope: which requests it is for.
        key: the parameter.
        test: whether an instance has the consumer's value.
        ratio: the percentage, and where it stands.
        where: where the rule stands.
    """

    scope: Scope
    key: str
    test: Test
    ratio: int
    ratio_where: Position
    where: Position


class MeshTarget(NamedTuple):
    """A weighted destination of a mesh route.

    Attributes:
        subset: parameters of its instances; None: the subset is not defined, or not named.
        name: of the subset.
        weight: its share.
        fallback: where requests go if it has no instances.
        where: where it stands.
    """

    subset: tuple[tuple[str, str], ...] | None
    name: str | None
    weight: int
    fallback: MeshTarget | None
    where: Position


class MeshStep(NamedTuple):
    """A mesh route: the first one whose tests hold counts.

    Attributes:
        services: the services that it is for, one of which must match; empty: all.
        when: tests of requests; all must hold.
        targets: where requests go; none: to all instances.
        name, where: its name, and where it stands.
        needs_body: whether it also looks at arguments.
    """

    services: tuple[Pattern, ...]
    when: tuple[Test, ...]
    targets: tuple[MeshTarget, ...]
    name: str
    where: Position
    needs_body: bool = False


class MeshStage(NamedTuple):
    """The routes of a mesh rule."""

    scope: Scope
    steps: tuple[MeshStep, ...]


class OpaqueStage(NamedTuple):
    """A rule that Dubbo may run and that nothing here can: a script."""

    scope: Scope
    where: Position


Stage = ConditionStage | TagStage | AffinityStage | MeshStage | OpaqueStage


class Setting(NamedTuple):
    """An item of a configurator that counts: parameters that it sets.

    Attributes:
        scope: which services or applications it is for.
        side: `consumer` or `provider`.
        item: whom it is for, and what it sets.
    """

    scope: Scope
    side: str
    item: ConfigItem


class Interpretation(NamedTuple):
    """What rules mean to one version of Dubbo.

    Attributes:
        stages: in the order in which Dubbo applies them.
        settings: what configurators set.
        remarks: on the lines that have no effect, and on those that need a remark whatever becomes of them.
        errors: what this version of Dubbo would log, each with the rule that it drops.
        dropped: the rules that have no effect at all.
        crash: why Dubbo crashes as soon as it reads a rule; empty: it does not.
    """

    stages: tuple[Stage, ...]
    settings: tuple[Setting, ...]
    remarks: tuple[Remark, ...]
    errors: tuple[str, ...] = ()
    dropped: tuple[Rule, ...] = ()
    crash: str = ""


class Decision(NamedTuple):
    """Which instances are left for a request.

    Attributes:
        shares: the possible outcomes, each with its probability; instances by name, in the world's order.
        touched: the lines that had a say: their conditions held for the request.
        error: why Dubbo crashes; no instance is left then.
    """

    shares: Mapping[tuple[str, ...], float]
    touched: tuple[Position, ...]
    error: str = ""
