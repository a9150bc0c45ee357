"""Applications whose configuration is unusual, and not wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.istio import resources
from tests.istio.cluster import Manifest
from tests.istio.faults import OFF, as_configured

UNUSUAL = ("by-header", "by-source", "hashed", "mirrored", "nearby", "shared", "shared-with-nobody")


def unusual(port: int) -> list[Manifest]:
    """The resources of all of them."""
    return [
        *(resources.service(app, port) for app in UNUSUAL),
        *_routed("by-header", {"match": [{"headers": {"dubbo.tag": {"exact": "gray"}}}], **_to(v2=100)}),
        *_routed(
            "by-source", {"match": [{"sourceLabels": {"app": "other"}}], "timeout": "0.1s", **_to(v9=100)}
        ),
        *_routed("hashed", policy={"loadBalancer": {"consistentHash": {"httpHeaderName": "x-user"}}}),
        *_routed("mirrored", {**OFF, "mirrors": [{"destination": {"host": "no-pods"}}]}),
        *_routed(
            "nearby",
            policy={
                "loadBalancer": {"localityLbSetting": {"enabled": True}},
                "outlierDetection": {"consecutive5xxErrors": 9},
            },
        ),
        *_routed("shared", {**OFF, **_to(v1=90, v2=10)}),
        *_routed("shared-with-nobody", {**OFF, **_to(v1=100, v9=0)}),
    ]


def _to(**shares: int) -> dict[str, Any]:
    """Sends requests to subsets, which are called by versions of pods."""
    return {"subsets": shares}


def _routed(
    app: str, *http: Mapping[str, Any], policy: Mapping[str, Any] | None = None
) -> Sequence[Manifest]:
    """Routes before the usual ones, and the subsets that they name."""
    entries: list[dict[str, Any]] = []
    versions: set[str] = set()
    for each in http:
        entry = dict(each)
        shares: Mapping[str, int] = entry.pop("subsets", {})
        if shares:
            versions |= shares.keys()
            entry["route"] = [
                {"destination": {"host": app, "subset": version}, "weight": share}
                for version, share in shares.items()
            ]
        entries.append(entry)
    if not entries or any("match" in each for each in entries):
        entries += as_configured()
    subsets = [{"name": version, "labels": {"version": version}} for version in sorted(versions)]
    rule = [resources.destination_rule(app, policy, subsets=subsets)] if policy or subsets else []
    return [resources.virtual_service(app, *entries), *rule]
