"""Whose headers sidecars obey, from emitted files. Run by `make istio`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from localmesh import ReservedPort
from tests.istio import cluster
from tests.istio.conftest import Emit, Start
from tests.istio.mesh import PODS
from tests.istio.rolling import interception
from tests.istio.sidecar import IstioSidecar


def test_addresses_are_internal_for_a_pods_own_calls_only(
    mesh: Start, emit: Emit, port: int, tmp_path: Path
) -> None:
    """Listeners for calls from elsewhere must not believe `x-forwarded-for`, which anybody can send."""
    emitted = emit("emit=python+kubernetes+istio")
    with ReservedPort() as app:
        cluster.write(inbound := tmp_path / "inbound.yaml", interception(PODS[:1], app.number, port))
        started = mesh(emitted, [*emitted.manifests, inbound])
        provider = started.sidecar(PODS[0])
        provider.wait_configured(routes=False)
        assert set(_internal_ranges(started.consumer, "OUTBOUND")) == {5}
        assert set(_internal_ranges(provider, "INBOUND")) == {0}


def _internal_ranges(sidecar: IstioSidecar, direction: str) -> Iterator[int]:
    """For each connection manager of a direction, of how many ranges it considers the addresses internal."""
    dumps = sidecar.admin.config_dump()["configs"]
    listeners = (each for dump in dumps for each in dump.get("dynamic_listeners", ()))
    for each in listeners:
        listener = each["active_state"]["listener"]
        if listener["traffic_direction"] == direction:
            yield from (_ranges(filter) for filter in _connection_managers(listener))


def _connection_managers(listener: dict[str, Any]) -> Iterator[dict[str, Any]]:
    chains = [*listener.get("filter_chains", ()), listener.get("default_filter_chain", {})]
    for chain in chains:
        for each in chain.get("filters", ()):
            if each["name"] == "envoy.filters.network.http_connection_manager":
                yield each["typed_config"]


def _ranges(connection_manager: dict[str, Any]) -> int:
    return len(connection_manager.get("internal_address_config", {}).get("cidr_ranges", ()))
