"""Which of a service's servicers answers a call: by Dubbo's version and group.

A consumer that has a version or a group configured sends it along as `tri-service-version` and
`tri-service-group`. Dubbo Java's providers look for exactly that service and otherwise take what they have
(`TriplePathResolver`); those of dubbo-go accept an exact match only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from .._contract.service import Service
from .._contract.validation import printable

_VERSION = "tri-service-version"
_GROUP = "tri-service-group"
_NOT_ASKED = ("", "*")

Handler = TypeVar("Handler")


@dataclass(frozen=True, slots=True)
class Provider(Generic[Handler]):
    """One servicer: what it says of itself, and its handlers by rpc name."""

    service: Service
    handlers: Mapping[str, Handler]
    owner: str
    """The servicer's class, for messages."""


class Providers(Generic[Handler]):
    """The servicers of one service on one server."""

    def __init__(self, name: str, *, strict: bool) -> None:
        """No servicer yet.

        Args:
            name: the service's full name.
            strict: whether a call must ask for exactly the version and the group of a servicer.
        """
        self._name = name
        self._strict = strict
        self._provided: list[Provider[Handler]] = []

    def add(self, provider: Provider[Handler]) -> None:
        """Adds a servicer.

        Raises:
            ValueError: there is one of the same version and group already.
        """
        service = provider.service
        for other in self._provided:
            if _identity(other.service) == _identity(service):
                raise ValueError(
                    f"{provider.owner} and {other.owner} both serve {service.key!r} on this server: "
                    f"give them different versions or groups, or serve only one of them"
                )
        self._provided.append(provider)

    def for_every_call(self) -> Provider[Handler] | None:
        """The servicer that answers whatever a call asks for; None if there is no such servicer."""
        if self._strict or len(self._provided) != 1:
            return None
        (only,) = self._provided
        return only if _identity(only.service) == (None, None) else None

    def choose(self, metadata: Iterable[tuple[str, str | bytes]] | None) -> Provider[Handler] | None:
        """The servicer that a call is for, by its metadata.

        An exact match comes first. Without strict routing there are further ones: a servicer without a
        version or group takes any that is asked for, and a call that does not ask takes any that is provided.
        Of several the one wins that matches most of what is asked for, then the one with the least that is
        not asked for.

        Returns:
            None if no servicer matches, or several match equally well.
        """
        version, group = _asked(metadata)
        for provider in self._provided:
            if _identity(provider.service) == (version, group):
                return provider
        if self._strict:
            return None
        ranked: dict[tuple[int, int], list[Provider[Handler]]] = {}
        for provider in self._provided:
            rank = _rank(provider.service, version, group)
            if rank is not None:
                ranked.setdefault(rank, []).append(provider)
        best = ranked[max(ranked)] if ranked else []
        return best[0] if len(best) == 1 else None

    def refusal(self, metadata: Iterable[tuple[str, str | bytes]] | None) -> str:
        """The message for a caller for whom `choose` finds none."""
        version, group = _asked(metadata)
        provided = ", ".join(repr(provider.service.key) for provider in self._provided)
        return (
            f"{self._name} is provided here as {provided}; the call asks for {_shown('version', version)} "
            f"and {_shown('group', group)}"
        )


def _identity(service: Service) -> tuple[str | None, str | None]:
    return service.version or None, service.group or None


def _asked(metadata: Iterable[tuple[str, str | bytes]] | None) -> tuple[str | None, str | None]:
    asked = dict(metadata or ())
    version, group = asked.get(_VERSION), asked.get(_GROUP)
    return _text(version), _text(group)


def _text(value: str | bytes | None) -> str | None:
    return value if isinstance(value, str) and value not in _NOT_ASKED else None


def _shown(what: str, value: str | None) -> str:
    return f"no {what}" if value is None else f"{what} '{printable(value)}'"


def _rank(service: Service, version: str | None, group: str | None) -> tuple[int, int] | None:
    """How well a servicer matches: asked for and provided, and minus what it provides unasked."""
    matching = unasked = 0
    for provided, asked in zip(_identity(service), (version, group), strict=True):
        if provided is None:
            continue
        if asked is None:
            unasked += 1
        elif asked == provided:
            matching += 1
        else:
            return None
    return matching, -unasked
