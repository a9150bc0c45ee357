"""Checks what becomes of this application's own calls while it goes down."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..envoy.listeners import Listener
from ..finding import Finding, problem


def check_leaving(listeners: Iterable[Listener]) -> Iterator[Finding]:
    """Reports listeners whose connections end after each request once `/healthcheck/fail` was posted."""
    names = dict.fromkeys(each.name for each in listeners if each.drain_type == "DEFAULT")
    if names:
        shown = ", ".join(list(names)[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        yield problem("DM231", f"the drain type of {shown} is DEFAULT")
