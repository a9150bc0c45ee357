"""The sidecars that istiod adds to pods that emitted patches are for. Run by `make istio`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dubbo_mesh._addressing.environment import DEFAULT_DRAIN
from dubbo_mesh._serving.options import DEFAULT_GRACE
from localmesh import wait_until
from tests.istio import injection, users
from tests.istio.api_server import ApiServer
from tests.istio.binaries import DEFINITIONS
from tests.istio.conftest import Emit
from tests.istio.istiod import Istiod
from tests.manifests.strategic_merge import merged

Inject = Callable[[str | None], dict[str, Any]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with ApiServer(tmp_path_factory.mktemp("server")) as server:
        server.define(DEFINITIONS)
        assert server.kubectl("create", "namespace", "istio-system").returncode == 0
        yield server


@pytest.fixture(scope="module", params=["true", "false"], ids=["native by default", "classic by default"])
def native_by_default(
    request: pytest.FixtureRequest, server: ApiServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[bool]:
    """Whether the mesh has native sidecars by default; from here on, the API server has istiod add them."""
    directory = tmp_path_factory.mktemp("istiod")
    istiod = Istiod(server, directory, {"ENABLE_NATIVE_SIDECARS": request.param})
    injection.configure(istiod.home)
    file = directory / "injector.json"
    file.write_text(json.dumps(istiod.injector()))
    with istiod:
        server.apply("-f", file)
        wait_until(lambda: len(_containers(_created(server, _pod(None), directory))) > 1, what="it is asked")
        yield request.param == "true"
        assert server.kubectl("delete", "-f", file).returncode == 0


@pytest.fixture
def inject(native_by_default: bool, server: ApiServer, emit: Emit, tmp_path: Path) -> Inject:
    """The pod of a user's Deployment, with the patch for a kind of sidecar, or without it."""

    def injected(sidecar: str | None) -> dict[str, Any]:
        patch = None
        if sidecar is not None:
            emitted = emit("emit=python+kubernetes", config=f'[kubernetes]\nsidecar = "{sidecar}"\n')
            patch = yaml.safe_load((emitted.kubernetes / "greeter" / "deployment.yaml").read_text())
        return _created(server, _pod(patch), tmp_path)

    return injected


def test_a_native_sidecar_outlives_the_app(inject: Inject) -> None:
    pod = inject("native")
    assert _proxy(pod)["restartPolicy"] == "Always"
    assert "istio-proxy" not in _names(pod, "containers")


def test_a_classic_sidecar_is_there_before_the_app_and_drains_for_longer(inject: Inject) -> None:
    pod = inject("classic")
    assert _names(pod, "containers") == ["istio-proxy", "greeter"]
    assert _proxy(pod)["lifecycle"]["postStart"]["exec"]["command"][:2] == ["pilot-agent", "wait"]
    drain = float(_settings(pod)["terminationDrainDuration"].removesuffix("s"))
    assert DEFAULT_DRAIN + DEFAULT_GRACE < drain < pod["spec"]["terminationGracePeriodSeconds"]


@pytest.mark.parametrize("sidecar", [None, "none"], ids=["without the patch", "without a sidecar's settings"])
def test_otherwise_the_mesh_decides(sidecar: str | None, native_by_default: bool, inject: Inject) -> None:
    pod = inject(sidecar)
    assert ("istio-proxy" in _names(pod, "initContainers")) == native_by_default
    assert "terminationDrainDuration" not in _settings(pod)
    assert "postStart" not in _proxy(pod).get("lifecycle", {})


@pytest.mark.parametrize("sidecar", ["native", "classic"])
def test_probes_reach_the_app_through_the_sidecars_agent(sidecar: str, inject: Inject) -> None:
    """They are HTTP and come from the node, so mutual TLS must not be asked of them."""
    pod = inject(sidecar)
    [greeter] = (each for each in pod["spec"]["containers"] if each["name"] == "greeter")
    [probers] = (
        json.loads(each["value"]) for each in _proxy(pod)["env"] if each["name"] == "ISTIO_KUBE_APP_PROBERS"
    )
    for name, path in (("startup", "/startup"), ("readiness", "/ready"), ("liveness", "/live")):
        asked = greeter[f"{name}Probe"]["httpGet"]
        assert asked["port"] == 15020
        assert probers[asked["path"]]["httpGet"] == {"path": path, "port": 22222, "scheme": "HTTP"}


def _pod(patch: dict[str, Any] | None) -> dict[str, Any]:
    deployment = users.deployment("greeter", "greeter", "default")
    template = merged(deployment, patch or {})["spec"]["template"]
    metadata = {**template["metadata"], "name": "greeter", "namespace": "default"}
    spec = {**template["spec"], "serviceAccountName": "default"}  # which a controller sets elsewhere
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _created(server: ApiServer, pod: dict[str, Any], directory: Path) -> dict[str, Any]:
    """The pod as the API server would keep it."""
    file = directory / "pod.json"
    file.write_text(json.dumps(pod))
    done = server.kubectl("create", "--dry-run=server", "--validate=strict", "--output=json", "-f", file)
    assert done.returncode == 0, done.stderr
    created: dict[str, Any] = json.loads(done.stdout)
    return created


def _containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]]


def _names(pod: dict[str, Any], field: str) -> list[str]:
    return [each["name"] for each in pod["spec"].get(field, ())]


def _proxy(pod: dict[str, Any]) -> dict[str, Any]:
    [proxy] = (each for each in _containers(pod) if each["name"] == "istio-proxy")
    return proxy


def _settings(pod: dict[str, Any]) -> dict[str, Any]:
    """The sidecar's own part of the mesh's configuration."""
    [given] = (each["value"] for each in _proxy(pod)["env"] if each["name"] == "PROXY_CONFIG")
    settings: dict[str, Any] = json.loads(given)
    return settings
