"""What is known of a problem before it is met."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

Severity: TypeAlias = Literal["error", "warning", "info"]

Check: TypeAlias = Literal[
    "doctor",
    "environment",
    "dial",
    "dns",
    "reachable",
    "proxyless",
    "admin",
    "config",
    "listener",
    "headers",
    "route",
    "rpc",
    "timeout",
    "retries",
    "upstream",
    "draining",
    "aliases",
    "health",
    "probes",
    "reflection",
    "inbound",
    "keepalive",
    "grace",
    "call",
]
"""What is checked."""

DOCS = "docs/findings.md"
"""The page that explains every problem, with an anchor for each id."""


class Problem(NamedTuple):
    """An entry of the catalogue.

    Attributes:
        check: the check that finds it.
        severity: `error` if calls fail, or do not do what they ask for; `warning` if they may; `info` if
            somebody may want to know.
        title: what is wrong, as a sentence without its names and values.
        why: why that matters: what happens to calls.
        remedy: what to do about it, in general.
    """

    check: Check
    severity: Severity
    title: str
    why: str
    remedy: str
