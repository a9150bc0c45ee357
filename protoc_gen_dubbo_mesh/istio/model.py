"""What the templates print: the resources of a file, with a note on where each value comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ..policy.model import Labels
    from ..yaml.noted import Noted


class Retries(NamedTuple):
    """When an entry retries.

    Attributes:
        attempts: how often, after the first attempt.
        per_try_timeout: of each attempt.
        on: the conditions.
    """

    attempts: Noted
    per_try_timeout: Noted | None = None
    on: Noted | None = None


class Entry(NamedTuple):
    """An entry below `http` of a VirtualService.

    Attributes:
        name: unique within the VirtualService.
        comments: lines about it.
        matches: the paths that it is for, each with the kind of match, `exact` or `prefix`.
        port: the port that it is for; None if the application has only one.
        subset: the subset that calls go to.
        timeout: of whole calls.
        retries: None leaves them to the mesh.
    """

    name: str
    comments: tuple[str, ...]
    matches: tuple[tuple[str, str], ...]
    port: int | None
    subset: str | None
    timeout: Noted | None
    retries: Retries | None


class Subset(NamedTuple):
    """A subset of a DestinationRule."""

    name: Noted
    labels: Labels


class Outliers(NamedTuple):
    """The outlier detection of a DestinationRule.

    Attributes:
        values: its fields, with their values.
        note: where it is asked for.
    """

    values: tuple[tuple[str, str | int], ...]
    note: str


class HealthChecks(NamedTuple):
    """How the pods of an application are checked.

    Attributes:
        name: of the resource for callers.
        filter_name: of the resource for the application's own pods.
        host: the application's host name in full.
        interval, timeout: durations.
        note: where they are asked for.
        namespaces: those of callers; None is that of whoever applies the file.
    """

    name: str
    filter_name: str
    host: str
    interval: str
    timeout: str
    note: str
    namespaces: tuple[str | None, ...]


class Sidecar(NamedTuple):
    """What the sidecars of an application know of the mesh.

    Attributes:
        hosts: the services that its pods call.
        setting: where others are to be added.
    """

    hosts: tuple[Noted, ...]
    setting: str


class AppFile(NamedTuple):
    """The file of one application.

    Attributes:
        path: relative to the output directory.
        sources: the files that it was made from.
        name, host: the application's name; the second with its origin.
        namespace: its namespace; None means that of whoever applies the file.
        labels: those of its pods.
        by_headers: whether stubs ask for timeouts and retries, and not routes.
        internal_addresses: the path of the file with which that counts; empty if this run writes none.
        entries: of its VirtualService; there is none without entries.
        subsets, outliers: of its DestinationRule.
        health_checks: if they are asked for.
        sidecar: if it is known what the application calls.
    """

    path: str
    sources: str
    name: str
    host: Noted
    namespace: Noted | None
    labels: Labels
    by_headers: bool
    internal_addresses: str
    entries: tuple[Entry, ...]
    subsets: tuple[Subset, ...]
    outliers: Outliers | None
    health_checks: HealthChecks | None
    sidecar: Sidecar | None


class InternalAddresses(NamedTuple):
    """The file with the addresses whose headers count.

    Attributes:
        path: relative to the output directory.
        sources: the files that it was made from.
        note: where the ranges were set.
        ranges: the ranges, each as an address and the length of its prefix.
        namespaces: those of applications that make calls; None is that of whoever applies the file.
    """

    path: str
    sources: str
    note: str
    ranges: tuple[tuple[str, int], ...]
    namespaces: tuple[str | None, ...]

    @property
    def is_in_one_unknown_namespace(self) -> bool:
        """Whether it is applied in the namespace that whoever applies it names."""
        return self.namespaces == (None,)
