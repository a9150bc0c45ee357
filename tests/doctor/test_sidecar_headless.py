"""Clusters of headless Services, as Istio writes them: calls go to the address that they are opened to."""

from __future__ import annotations

import pytest

from localmesh import ReservedPort
from tests import sidecars
from tests.doctor.running import examined, ids
from tests.doctor.upstreams import INTERNAL, PORT, call, service, serving
from tests.sidecars.config import Json, cluster, http_listener, merged

HEADLESS: Json = {"type": "ORIGINAL_DST", "lb_policy": "CLUSTER_PROVIDED", "load_assignment": None}


def name(app: str) -> str:
    """A cluster's name, in Istio's way."""
    return f"outbound|{PORT}||{app}.default.svc.cluster.local"


def virtual_host(app: str) -> Json:
    route = {"name": app, "match": {"prefix": "/"}, "route": {"cluster": name(app), "timeout": "0s"}}
    return merged(service(app).virtual_host(), {"routes": [route]})


@pytest.mark.finds("DM247")
def test_a_sidecar_that_is_dialled_has_no_such_address() -> None:
    with serving() as server, ReservedPort() as egress:
        hosts = [virtual_host("headless"), virtual_host("well")]
        listener = http_listener("outbound", egress.address, hosts, connection_manager=INTERNAL)
        clusters = [cluster(name("headless"), [], HEADLESS), cluster(name("well"), [server])]
        with sidecars.StaticEnvoy("headless", [listener], clusters) as envoy:
            variables = {"DUBBO_MESH_EGRESS": egress.address, "DUBBO_MESH_ADMIN": envoy.admin_address}
            found = {app: ids(examined(f"{app}:{PORT}", variables=variables)) for app in ("headless", "well")}
            called = {app: call(egress.address, app) for app in found}
    assert "DM247" in found["headless"]
    assert called["headless"] == "UNAVAILABLE: no healthy upstream"
    assert "DM247" not in found["well"]
    assert called["well"] == "OK"
