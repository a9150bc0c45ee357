"""Checks what becomes of this application's own calls while it goes down."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..envoy.configuration.services import is_istio
from ..envoy.configuration.snapshot import Snapshot
from ..envoy.entering.listeners import Listener
from ..finding import Finding, problem
from ..wording import first_of


def check_leaving(snapshot: Snapshot, listeners: Iterable[Listener]) -> Iterator[Finding]:
    """Reports listeners whose connections end after each request once `/healthcheck/fail` was posted.

    Not on Istio, where that is so and nothing can be done about it.
    """
    if is_istio(snapshot):
        return
    names = list(dict.fromkeys(each.name for each in listeners if each.drain_type == "DEFAULT"))
    if names:
        yield problem("DM231", f"the drain type of {first_of(names, 3)} is DEFAULT")
