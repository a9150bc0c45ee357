"""Istio's own judgement of manifests: what it refuses, and what it warns of."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

from tests.istio.binaries import DEFINITIONS, HERE, program

WORLD = HERE / "world"


class Finding(NamedTuple):
    """What is said against a resource."""

    resource: str
    message: str


class Exempt(NamedTuple):
    """A warning that is none to us."""

    code: str
    text: str
    reason: str


EXEMPT = (
    Exempt(
        "IST0133",
        "EnvoyFilter exposes internal implementation details",
        "Istio says so of every EnvoyFilter. Ours stand where Istio has no other way, and are run here.",
    ),
)
# What the analysers have to say about a cluster's state, without calling it wrong.
_HARMLESS = frozenset({"Info"})
# Information that means that something in a manifest does not count.
_INEFFECTIVE = frozenset({"IST0118", "IST0131"})


def validate(*paths: Path) -> list[Finding]:
    """What resource definitions and Istio's validation find; its warnings are errors here."""
    command = [program("istiocheck"), "-definitions", DEFINITIONS, *paths]
    found: list[Finding] = []
    for verdict in _lines(command, statuses=(0, 1)):
        warnings = (warning for text in verdict["warnings"] for warning in _without_exempt(text))
        resource = f"{verdict['file']}: {verdict['kind']} {verdict['name']}"
        found += (Finding(resource, message) for message in (*verdict["errors"], *warnings))
    return found


def analyze(*paths: Path) -> list[Finding]:
    """What Istio's analysers find in a cluster with these manifests; warnings are errors here."""
    found: list[Finding] = []
    for message in _lines([program("istioanalyze"), *paths], statuses=(0,)):
        level, code, text = message["level"], message["code"], message["text"]
        if level in _HARMLESS and code not in _INEFFECTIVE:
            continue
        if not any(code == exempt.code and exempt.text in text for exempt in EXEMPT):
            found.append(Finding(message["resource"], f"{level} {code}: {text}"))
    return found


def _without_exempt(text: str) -> list[str]:
    """The warnings in a text that may have several: "2 errors occurred: * … * …"."""
    parts = [part.strip() for part in text.split(" * ")]
    if len(parts) > 1:
        parts = parts[1:]
    return [part for part in parts if part and not any(exempt.text in part for exempt in EXEMPT)]


def _lines(command: list[Any], statuses: tuple[int, ...]) -> list[dict[str, Any]]:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode in statuses, done.stderr
    # Before its output can be directed elsewhere, Istio logs to the standard output, too.
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
