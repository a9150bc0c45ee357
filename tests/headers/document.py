"""Measures what Envoy does with what our stubs send, and makes the tables of docs/envoy-headers.md of it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from dubbo_mesh import EnvoyHeaders
from tests.headers.bench import EDGE, INTERNAL, SIDECAR, Bench, Trust
from tests.headers.cases import Case, unavailable

DOCUMENT = Path(__file__).parents[2] / "docs" / "envoy-headers.md"
UPDATE = "pytest tests/headers --update-docs"


class Effect(NamedTuple):
    """What was seen of one case."""

    sent: tuple[tuple[str, str], ...]
    honoured: str
    without: str
    sidecar: str
    edge: str


def measure_effect(case: Case, bench: Bench) -> Effect:
    """The case on a sidecar that honours it, without the field, and on two that hold nobody internal."""
    asked = case.asked_at(bench)
    sent = tuple(
        (name, value.replace(bench.provider_address, "ip:port")) for name, value in asked.to_metadata()
    )

    def seen(trust: Trust, headers: EnvoyHeaders) -> str:
        return case.observe(bench.run(trust, headers, **case.call))

    without = seen(INTERNAL, case.beside)
    everything = case.beside | asked
    return Effect(
        sent, seen(INTERNAL, everything), without, seen(SIDECAR, everything), seen(EDGE, everything)
    )


FORWARDED_FOR = ("off", "127.0.0.1", "pod")
POD_IP = "10.0.0.7"


class Standing(NamedTuple):
    """How one kind of sidecar held one kind of caller."""

    honoured: bool
    request_id_kept: bool
    internal_at_provider: bool
    forwarded_for: str


def measure_standing(trust: Trust, forwarded_for: str, bench: Bench) -> Standing:
    """A call whose retry headers show whether it counts as internal.

    Args:
        trust: that of the caller's sidecar.
        forwarded_for: `DUBBO_MESH_FORWARDED_FOR`, with `POD_IP` for `pod`.
        bench: where to measure.
    """
    outcome = bench.run(
        trust,
        EnvoyHeaders(retry_grpc_on="unavailable", max_retries=2),
        app="ingress",
        behaviour=unavailable,
        metadata=(("x-request-id", "mine"),),
        DUBBO_MESH_FORWARDED_FOR=forwarded_for,
        POD_IP=POD_IP,
    )
    client = {"off": "", "pod": POD_IP}.get(forwarded_for, forwarded_for)
    addresses = str(outcome.at_ingress["forwarded_for"] or "none").split(",")
    return Standing(
        honoured=len(outcome.attempts) == 3,
        request_id_kept=outcome.at_ingress["request_id"] == "mine",
        internal_at_provider=outcome.at_ingress["internal"] == "true",
        # Envoy adds an address of this machine.
        forwarded_for=", ".join(each if each in (client, "none") else "Envoy's own" for each in addresses),
    )


def effects_table(effects: Iterable[tuple[Case, Effect]]) -> list[str]:
    """The table of all cases."""
    rows = [
        "| `EnvoyHeaders(…)` | sent | given | without it | honoured "
        "| not internal, at a sidecar | not internal, at an edge |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for case, effect in effects:
        fields = (
            re.sub(r"^EnvoyHeaders\((.*)\)$", r"\1", repr(case.asked)) if not callable(case.asked) else ""
        )
        sent = ", ".join(f"`{name}: {value}`" for name, value in effect.sent) or "nothing"
        cells = [
            f"`{fields or case.field + '=…'}`",
            sent,
            case.given,
            effect.without,
            effect.honoured,
            _lost(effect, effect.sidecar),
            _lost(effect, effect.edge),
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def standings_table(standings: Iterable[tuple[Trust, str, Standing]]) -> list[str]:
    """The table of what `DUBBO_MESH_FORWARDED_FOR` does."""
    rows = [
        "| `use_remote_address` | `internal_address_config` | `DUBBO_MESH_FORWARDED_FOR` | router headers "
        "| `x-request-id` | `x-forwarded-for` upstream | internal to the provider's sidecar, "
        "which trusts 127.0.0.0/8 |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for trust, forwarded_for, standing in standings:
        cells = [
            str(trust.use_remote_address).lower(),
            ", ".join(trust.internal_addresses) or "none",
            f"`{forwarded_for}`" + (f" = {POD_IP}" if forwarded_for == "pod" else ""),
            "**honoured**" if standing.honoured else "stripped",
            "kept" if standing.request_id_kept else "made anew",
            standing.forwarded_for,
            "**yes**" if standing.internal_at_provider else "no",
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def _lost(effect: Effect, seen: str) -> str:
    if seen == effect.honoured:
        return "kept"
    return "**lost**" if seen == effect.without else f"**lost**: {seen}"


def with_tables(text: str, tables: dict[str, list[str]]) -> str:
    """The document with those tables between their marks, `<!-- begin NAME … -->` and `<!-- end NAME -->`.

    Raises:
        ValueError: a mark is missing.
    """
    for name, rows in tables.items():
        begin, end = f"<!-- begin {name}: {UPDATE} -->", f"<!-- end {name} -->"
        head, found, rest = text.partition(begin)
        _, found_too, tail = rest.partition(end)
        if not (found and found_too):
            raise ValueError(f"{DOCUMENT} has no table {begin} … {end}")
        text = "\n".join([f"{head}{begin}", *rows, f"{end}{tail}"])
    return text


def difference(document: str, measured: str) -> str:
    """A unified diff, empty where the document has what was measured."""
    lines = difflib.unified_diff(
        document.splitlines(), measured.splitlines(), str(DOCUMENT), "measured", lineterm=""
    )
    return "\n".join(lines)
