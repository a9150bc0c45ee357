"""Sidecars that get their configuration from a control plane: what has not come, and what they refuse."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dubbo_mesh._doctor.finding import Finding
from dubbo_mesh._doctor.sidecar import reading
from localmesh import Envoy, ReservedPort, wait_until
from tests import sidecars
from tests.doctor.hostile import INFO, answering, asked, response
from tests.doctor.running import examined, ids
from tests.doctor.upstreams import INTERNAL, NOBODY, PORT, bad, call, doctor, service, serving
from tests.sidecars.config import ROUTER, Json, cluster, duration, http_listener, socket_address

_GRPC: Json = {
    "api_type": "GRPC",
    "transport_api_version": "V3",
    "grpc_services": [{"envoy_grpc": {"cluster_name": "control-plane"}}],
}
_BAD_RING: Json = {
    "lb_policy": "RING_HASH",
    "ring_hash_lb_config": {"minimum_ring_size": {"value": 9}, "maximum_ring_size": {"value": 3}},
}
"""Over a cluster: what Envoy refuses."""


class DynamicEnvoy(Envoy):
    """An Envoy that reads its listeners, clusters and routes from files.

    Args:
        directory: where the files are.
        clusters: where its clusters come from; by default from a file as well.
    """

    def __init__(self, directory: Path, clusters: Json | None = None) -> None:
        self.files = directory / "files"
        self.files.mkdir()
        self._reserved = ReservedPort()
        configuration = {
            "node": {"id": "dynamic", "cluster": "dynamic"},
            "admin": {"address": socket_address(self._reserved.address)},
            "dynamic_resources": {
                "lds_config": self.source("listeners"),
                "cds_config": clusters or self.source("clusters"),
                "ads_config": _GRPC,
            },
            "static_resources": {"clusters": [cluster("control-plane", [NOBODY])]},
        }
        bootstrap = self.files / "bootstrap.json"
        bootstrap.write_text(json.dumps(configuration))
        super().__init__("dynamic", bootstrap, admin=self._reserved.address, directory=directory)

    def close(self) -> None:
        super().close()
        self._reserved.close()

    def source(self, name: str) -> Json:
        """The `ConfigSource` of a file."""
        path = str(self.files / f"{name}.json")
        return {"path_config_source": {"path": path}, "resource_api_version": "V3"}

    def write(self, name: str, kind: str, *resources: Json) -> None:
        """Replaces a file. Envoy watches for files that are moved there."""
        written = self.files / "written"
        named = [{"@type": f"type.googleapis.com/envoy.config.{kind}", **each} for each in resources]
        written.write_text(json.dumps({"resources": named}))
        written.rename(self.files / f"{name}.json")

    def listener(self, name: str, port: ReservedPort, source: Json, **over: Any) -> dict[str, Any]:
        """A listener whose routes come from `source`."""
        rds = {"route_config_name": name, "config_source": source}
        return http_listener(
            name,
            port.address,
            [],
            connection_manager={**INTERNAL, "route_config": None, "rds": rds, **over},
            listener={"drain_type": "MODIFY_ONLY"},
        )

    def doctor(self, egress: ReservedPort, app: str) -> list[Finding]:
        variables = {"DUBBO_MESH_EGRESS": egress.address, "DUBBO_MESH_ADMIN": self.admin_address}
        return examined(f"{app}:{PORT}", variables=variables)


def from_nobody(seconds: float = 0) -> Json:
    """The source of what never comes. Envoy gives up waiting for it after some seconds; with 0, never."""
    return {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": duration(seconds)}


def virtual_hosts(**clusters: str) -> list[Json]:
    return [
        {
            "name": app,
            "domains": [f"{app}.default.svc.cluster.local:{PORT}"],
            "routes": [{"name": app, "match": {"prefix": "/"}, "route": {"cluster": to, "timeout": "0s"}}],
        }
        for app, to in clusters.items()
    ]


_LISTENERS = "listener.v3.Listener"
_CLUSTERS = "cluster.v3.Cluster"
_ROUTES = "route.v3.RouteConfiguration"


def _bad(findings: list[Finding]) -> set[str | None]:
    """The ids of errors and warnings, but that nobody is there to send anything new."""
    return bad(findings) - {"DM233"}


class Ports(dict[str, ReservedPort]):
    def __missing__(self, name: str) -> ReservedPort:
        self[name] = ReservedPort()
        return self[name]


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a connection is taken for lost."""
    monkeypatch.setattr(reading, "_PAUSES", (0.0, 0.0))


@pytest.fixture(scope="module")
def ports() -> Iterator[Ports]:
    ports = Ports()
    yield ports
    for each in ports.values():
        each.close()


@pytest.fixture(scope="module")
def envoy(tmp_path_factory: pytest.TempPathFactory, ports: Ports) -> Iterator[DynamicEnvoy]:
    """It is well when it starts, and gets its faults then: else it would wait for what never comes."""
    with serving() as server, closing(DynamicEnvoy(tmp_path_factory.mktemp("dynamic"))) as envoy:
        well = cluster("well", [server])
        listener = envoy.listener("listener", ports["well"], envoy.source("listener"))
        hosts = virtual_hosts(well="well", missing="nowhere", warming="warming", refused="refused")
        envoy.write("clusters", _CLUSTERS, well)
        envoy.write("listeners", _LISTENERS, listener)
        envoy.write("listener", _ROUTES, {"name": "listener", "virtual_hosts": hosts})
        envoy.start()
        eds = {"load_assignment": None, "type": "EDS", "eds_cluster_config": {"eds_config": from_nobody()}}
        envoy.write(
            "clusters", _CLUSTERS, well, cluster("warming", [], eds), cluster("refused", [server], _BAD_RING)
        )
        envoy.write(
            "listeners",
            _LISTENERS,
            listener,
            envoy.listener("waiting", ports["waiting"], from_nobody(0.05)),
            envoy.listener("warming", ports["warming"], from_nobody()),
            envoy.listener("refused", ports["refused"], from_nobody(), http_filters=[ROUTER, ROUTER]),
        )
        wait_until(lambda: envoy.admin.stat("listener_manager.lds.update_rejected"), what="it is refused")
        wait_until(lambda: envoy.admin.stat("cluster_manager.cds.update_rejected"), what="it is refused")
        wait_until(lambda: envoy.admin.stat("listener_manager.total_listeners_warming") == 1, what="one")
        yield envoy


def test_all_is_well(tmp_path: Path, ports: Ports) -> None:
    with serving() as server, closing(DynamicEnvoy(tmp_path)) as envoy:
        envoy.write("clusters", _CLUSTERS, cluster("well", [server]))
        envoy.write("listeners", _LISTENERS, envoy.listener("all", ports["all"], envoy.source("all")))
        envoy.write("all", _ROUTES, {"name": "all", "virtual_hosts": virtual_hosts(well="well")})
        envoy.start()
        assert _bad(envoy.doctor(ports["all"], "well")) == set()
        assert "DM246" not in ids(envoy.doctor(ports["all"], "well"))
        assert call(ports["all"].address, "well") == "OK"

        with sidecars.Sidecar("static", egress=[service("well", server)]) as static:
            assert bad(doctor(static, "well")) == set()


@pytest.mark.finds("DM233")
def test_no_control_plane(envoy: DynamicEnvoy, ports: Ports) -> None:
    """While it tries to connect, Envoy says for a moment that it is connected."""
    wait_until(lambda: "DM233" in ids(envoy.doctor(ports["well"], "well")), what="it is noticed")


@pytest.mark.parametrize("states", [[1], [0, 1], [0, 0, 1]])
def test_a_control_plane_that_ends_a_connection(states: list[int]) -> None:
    """They do now and then, for the load to be spread anew."""
    left = list(states)

    def behave(connection: socket.socket, path: str) -> None:
        if path.startswith("/stats"):
            state = left.pop(0)
            connection.sendall(response(f"control_plane.connected_state: {state}\n".encode()))
        else:
            answering({"/server_info": INFO, "/config_dump": dump, "/clusters": {}})(connection, path)

    dynamic: Any = {"dynamic_resources": {"cds_config": {"ads": {}}}}
    section: Any = {"@type": "type.googleapis.com/envoy.admin.v3.BootstrapConfigDump", "bootstrap": dynamic}
    dump: Any = {"configs": [section]}
    with asked(behave) as peer:
        assert bad(examined(variables={"DUBBO_MESH_ADMIN": peer.address})) == set()
    assert left == []


@pytest.mark.finds("DM232")
@pytest.mark.finds("DM246")
def test_what_a_sidecar_refuses(envoy: DynamicEnvoy, ports: Ports) -> None:
    findings = envoy.doctor(ports["well"], "well")
    assert _bad(findings) == {"DM232"}
    [refused] = [each for each in findings if each.id == "DM232"]
    assert refused.finding.startswith("listener refused was refused: ")
    assert "must be the last filter" in refused.finding
    counters = [each.finding for each in findings if each.id == "DM246"]
    assert any("cluster_manager.cds.update_rejected" in each for each in counters)
    assert call(ports["well"].address, "well") == "OK"


@pytest.mark.parametrize(
    ("app", "id", "seen"),
    [
        pytest.param("warming", "DM219", "cluster warming is not in use", marks=pytest.mark.finds("DM219")),
        ("refused", "DM219", "has refused updates of clusters"),
        ("missing", "DM209", "names the cluster nowhere, which does not exist"),
    ],
)
def test_clusters_that_are_not_there(envoy: DynamicEnvoy, ports: Ports, app: str, id: str, seen: str) -> None:
    [found] = [each for each in envoy.doctor(ports["well"], app) if each.id == id]
    assert seen in found.finding
    assert call(ports["well"].address, app).startswith("UNAVAILABLE")
    assert id not in ids(envoy.doctor(ports["well"], "well"))


@pytest.mark.parametrize(
    ("listener", "id", "seen", "called"),
    [
        pytest.param(
            "waiting", "DM243", "waits for its routes", "UNIMPLEMENTED", marks=pytest.mark.finds("DM243")
        ),
        pytest.param("warming", "DM242", "is warming", "UNAVAILABLE", marks=pytest.mark.finds("DM242")),
        ("refused", "DM204", "it has refused the listener refused", "UNAVAILABLE"),
    ],
)
def test_listeners_that_are_not_there(
    envoy: DynamicEnvoy, ports: Ports, listener: str, id: str, seen: str, called: str
) -> None:
    [found] = [each for each in envoy.doctor(ports[listener], "well") if each.id == id]
    assert seen in found.finding
    assert call(ports[listener].address, "well", wait=False).startswith(called)
    assert id not in ids(envoy.doctor(ports["well"], "well"))


@pytest.mark.finds("DM220")
def test_no_clusters_have_come(tmp_path: Path, ports: Ports) -> None:
    with closing(DynamicEnvoy(tmp_path, clusters=from_nobody(0.05))) as envoy:
        envoy.write("listeners", _LISTENERS, envoy.listener("empty", ports["empty"], envoy.source("empty")))
        envoy.write("empty", _ROUTES, {"name": "empty", "virtual_hosts": virtual_hosts(well="well")})
        envoy.start()
        assert _bad(envoy.doctor(ports["empty"], "well")) == {"DM220"}
        assert call(ports["empty"].address, "well").startswith("UNAVAILABLE")


@pytest.mark.finds("DM203")
@pytest.mark.parametrize("state", ["PRE_INITIALIZING", "INITIALIZING"])
def test_a_sidecar_that_is_starting(tmp_path: Path, ports: Ports, state: str) -> None:
    """It says what it waits for, and not all that is missing because of that."""
    clusters = from_nobody() if state == "PRE_INITIALIZING" else None
    with closing(DynamicEnvoy(tmp_path, clusters=clusters)) as envoy:
        envoy.write("clusters", _CLUSTERS, cluster("well", [NOBODY]))
        envoy.write("listeners", _LISTENERS, envoy.listener("late", ports["late"], from_nobody()))
        envoy.process.start()
        wait_until(lambda: f"{state}: " in _seen(envoy, ports["late"], "DM203"), what="it answers")
        assert _bad(envoy.doctor(ports["late"], "well")) == {"DM107", "DM203"}


def _seen(envoy: DynamicEnvoy, egress: ReservedPort, id: str) -> str:
    return "".join(each.finding for each in envoy.doctor(egress, "well") if each.id == id)
