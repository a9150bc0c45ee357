"""What files of rules say, before any version of Dubbo reads a meaning into it.

Scalars stay what they are in the file (`Scalar`), because versions of Dubbo disagree on what `yes`, `1` or a
missing `force` mean. What is None is not in the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .positions import Position


class Scalar(NamedTuple):
    """A scalar of YAML.

    Attributes:
        text: its text.
        plain: whether it has no quotes, so that YAML may take it for a number, a boolean or null.
        where: where it stands.
    """

    text: str
    plain: bool
    where: Position


class Unknown(NamedTuple):
    """A key that is there, and that nothing reads.

    Attributes:
        path: where in the rule, such as `conditions[0].priority`.
        where: its line.
    """

    path: str
    where: Position


class Header(NamedTuple):
    """What all kinds of rules have in common.

    Attributes:
        where: where the rule begins.
        name, namespace: of a Kubernetes resource; None for a plain rule.
        config_version, scope, key, force, enabled, runtime, priority, valid, dynamic: as in the file.
        unknown: keys of the rule that nothing reads.
        from_url: whether it was a URL, as up to Dubbo 2.6.
        duplicate: a key that its document has twice.
    """

    where: Position
    name: str | None = None
    namespace: str | None = None
    config_version: Scalar | None = None
    scope: Scalar | None = None
    key: Scalar | None = None
    force: Scalar | None = None
    enabled: Scalar | None = None
    runtime: Scalar | None = None
    priority: Scalar | None = None
    valid: Scalar | None = None
    dynamic: Scalar | None = None
    unknown: tuple[Unknown, ...] = ()
    from_url: bool = False
    duplicate: Scalar | None = None


HEADER_KEYS = {
    "configVersion": "config_version",
    "scope": "scope",
    "key": "key",
    "force": "force",
    "enabled": "enabled",
    "runtime": "runtime",
    "priority": "priority",
    "valid": "valid",
    "dynamic": "dynamic",
}
"""The keys that all kinds of rules have, each with its field of `Header`."""


class Term(NamedTuple):
    """What a side of a condition demands of one key: `zone=east,west`, `zone!=east`.

    Attributes:
        key: without `consumer.` and `provider.`.
        equal, unequal: the values behind `=` and `!=`. A key that is given again adds to the same term.
    """

    key: str
    equal: tuple[str, ...] = ()
    unequal: tuple[str, ...] = ()


class Condition(NamedTuple):
    """A line of a condition rule of v3.0: `method=place => zone=east`.

    Attributes:
        text: as it is in the file.
        where: its line.
        when: what it demands of requests; empty: nothing.
        then: what it demands of instances; empty: it denies.
        error: why it cannot be parsed; the sides are empty then.
    """

    text: str
    where: Position
    when: tuple[Term, ...] = ()
    then: tuple[Term, ...] = ()
    error: str = ""


class Destination(NamedTuple):
    """An entry of `to` in a condition of v3.1.

    Attributes:
        text: its `match`.
        where: its line.
        then: what it demands of instances; empty: nothing.
        weight: its weight.
        error: why `match` cannot be parsed.
    """

    text: str
    where: Position
    then: tuple[Term, ...] = ()
    weight: Scalar | None = None
    error: str = ""


class SharedCondition(NamedTuple):
    """A condition of v3.1: `{from: {match}, to: [{match, weight}]}`.

    Attributes:
        text: the `match` of `from`.
        where: its line.
        when: what it demands of requests; empty: nothing.
        to: where they go; empty: it denies.
        error: why `match` cannot be parsed.
        unknown: keys that nothing reads, such as `priority` and `trafficDisable`.
    """

    text: str
    where: Position
    when: tuple[Term, ...] = ()
    to: tuple[Destination, ...] = ()
    error: str = ""
    unknown: tuple[Unknown, ...] = ()


class ConditionRule(NamedTuple):
    """A condition rule. Its conditions are of v3.0, v3.1, or even both, whatever its configVersion says."""

    header: Header
    conditions: tuple[Condition | SharedCondition, ...]


class StringMatch(NamedTuple):
    """`{exact: east}`; fields as in the file, in the order of the file.

    Attributes:
        fields: the names (exact, prefix, regex, noempty, empty, wildcard, or unknown ones) and values.
        where: its line.
    """

    fields: tuple[tuple[str, Scalar], ...]
    where: Position


class ParamMatch(NamedTuple):
    """`{key: zone, value: {exact: east}}`."""

    key: str
    value: StringMatch
    where: Position


class Tag(NamedTuple):
    """An entry of `tags`.

    Attributes:
        name: its name.
        where: its line.
        addresses: its instances; None: the key is missing or null.
        match: which parameters its instances have; None: the key is missing or null.
        unknown: keys that nothing reads.
    """

    name: Scalar
    where: Position
    addresses: tuple[Scalar, ...] | None = None
    match: tuple[ParamMatch, ...] | None = None
    unknown: tuple[Unknown, ...] = ()


class TagRule(NamedTuple):
    """A tag rule."""

    header: Header
    tags: tuple[Tag, ...]


class AffinityRule(NamedTuple):
    """An affinity rule.

    Attributes:
        where: the line of `affinityAware`.
        affinity_key, ratio: its keys `key` and `ratio`.
    """

    header: Header
    where: Position
    affinity_key: Scalar | None
    ratio: Scalar | None


class ScriptRule(NamedTuple):
    """A script rule. The script is never run."""

    header: Header
    type: Scalar | None
    script: Scalar


class MeshSubset(NamedTuple):
    """A subset of Dubbo's own DestinationRule.

    Attributes:
        name: its name.
        labels: parameters of its instances.
        where: its line.
    """

    name: str
    labels: tuple[tuple[str, str], ...]
    where: Position


class MeshDestination(NamedTuple):
    """A destination of a mesh route.

    Attributes:
        host, subset: of the destination.
        weight: its weight.
        fallback: where calls go if it has no instances.
        where: its line.
    """

    host: str | None
    subset: str | None
    weight: Scalar | None
    fallback: MeshDestination | None
    where: Position


class MeshMatch(NamedTuple):
    """An entry of `match` of a mesh route. All entries, and all that an entry has, must hold.

    Attributes:
        where: its line.
        method: `method.name_match`.
        attachments: `attachments.dubboContext`; `tracing` those of `attachments.tracingContext`.
        source_labels: `sourceLabels`, parameters of the consumer.
        unsupported: what else it has, by name: argc, args, argp, headers, and keys that nothing reads.
    """

    where: Position
    method: StringMatch | None = None
    attachments: tuple[tuple[str, StringMatch], ...] = ()
    tracing: tuple[tuple[str, StringMatch], ...] = ()
    source_labels: tuple[tuple[str, str], ...] = ()
    unsupported: tuple[Unknown, ...] = ()


class MeshRoute(NamedTuple):
    """An entry of `routedetail`."""

    name: str
    where: Position
    match: tuple[MeshMatch, ...]
    route: tuple[MeshDestination, ...]


class MeshRouting(NamedTuple):
    """An entry of `dubbo` in a VirtualService of Dubbo's.

    Attributes:
        services: the services that it is for; empty: all.
        routes: the first that matches counts.
        where: its line.
    """

    services: tuple[StringMatch, ...]
    routes: tuple[MeshRoute, ...]
    where: Position


class MeshRule(NamedTuple):
    """The documents of a mesh rule: Dubbo's own kinds DestinationRule and VirtualService.

    Attributes:
        host: the application.
        subsets: of all its DestinationRules.
        routings: of all its VirtualServices, in order.
    """

    header: Header
    host: str | None
    subsets: tuple[MeshSubset, ...]
    routings: tuple[MeshRouting, ...]


class Parameter(NamedTuple):
    """An entry of `parameters`, such as `timeout: 1500`."""

    name: str
    value: Scalar
    where: Position


class ConfigMatch(NamedTuple):
    """`match` of a configurator's item.

    Attributes:
        address, provider_address: of the instance (`wildcard`, `cird`, `exact`).
        service, app: each a list of `oneof`.
        param: parameters of the instance.
        unknown: keys that nothing reads, such as `application`.
    """

    address: StringMatch | None = None
    provider_address: StringMatch | None = None
    service: tuple[StringMatch, ...] = ()
    app: tuple[StringMatch, ...] = ()
    param: tuple[ParamMatch, ...] = ()
    unknown: tuple[Unknown, ...] = ()


class ConfigItem(NamedTuple):
    """An entry of `configs`.

    Attributes:
        where: its line.
        side: `consumer` or `provider`.
        parameters: what it sets.
        match: whom it is for, from v3.0 on.
        addresses, provider_addresses, services, applications: whom it is for, in all versions.
        type, enabled: the keys of these names.
        unknown: keys that nothing reads.
    """

    where: Position
    side: Scalar | None
    parameters: tuple[Parameter, ...]
    match: ConfigMatch | None = None
    addresses: tuple[Scalar, ...] = ()
    provider_addresses: tuple[Scalar, ...] = ()
    services: tuple[Scalar, ...] = ()
    applications: tuple[Scalar, ...] = ()
    type: Scalar | None = None
    enabled: Scalar | None = None
    unknown: tuple[Unknown, ...] = ()


class ConfiguratorRule(NamedTuple):
    """Configurators: parameters that are set for consumers or providers while they run."""

    header: Header
    configs: tuple[ConfigItem, ...]


Rule = ConditionRule | TagRule | AffinityRule | ScriptRule | MeshRule | ConfiguratorRule
