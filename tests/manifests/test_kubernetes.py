"""What is emitted for Kubernetes: Services, patches for Deployments, and the components that tie them."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml

import dubbo_mesh
from dubbo_mesh._addressing import environment
from dubbo_mesh._serving import options
from protoc_gen_dubbo_mesh.errors import GenerationError
from protoc_gen_dubbo_mesh.kubernetes import build, settings
from protoc_gen_dubbo_mesh.kubernetes.emitter import KubernetesEmitter
from protoc_gen_dubbo_mesh.mesh.grouping import Grouping
from tests.calling.echo import EchoServicer
from tests.generator.goldens import GENERATED, Case
from tests.manifests.checks import problems
from tests.manifests.kubernetes import DEPLOYMENT, GREETER, container, emitted, environ, patched
from tests.manifests.services import service
from tests.manifests.strategic_merge import merged

OF_KUBERNETES = [case for case in GENERATED if case.name.startswith("kubernetes_")]


def seconds(duration: str) -> float:
    """A duration as protobuf spells it."""
    assert duration.endswith("s")
    return float(duration[:-1])


class TestTheRuntimesDefaults:
    def test_are_these(self) -> None:
        assert f"[::]:{settings.DEFAULT_PROBES}" == environment.DEFAULT_PROBES
        assert settings.DEFAULT_DRAIN == environment.DEFAULT_DRAIN
        assert settings.DEFAULT_GRACE == options.DEFAULT_GRACE

    def test_the_domain_is_the_runtimes(self, tmp_path: Path) -> None:
        assert dubbo_mesh.Target("a").authority.endswith(f".svc.{settings.DEFAULT_DOMAIN}:80")
        assert "CLUSTER_DOMAIN" not in environ(patched(tmp_path))

    def test_another_domain_reaches_the_runtime(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = environ(patched(tmp_path, '[kubernetes]\ncluster_domain = "mesh.example."\n'))
        monkeypatch.setenv("CLUSTER_DOMAIN", found["CLUSTER_DOMAIN"])
        assert dubbo_mesh.Target("a", "shop").authority == "a.shop.svc.mesh.example:80"

    def test_the_longest_drain_is_the_runtimes(self) -> None:
        longest = settings.LONGEST_DURATION
        assert environment.Environment.read({"DUBBO_MESH_DRAIN": f"{longest:g}"}).drain == longest
        with pytest.raises(dubbo_mesh.ConfigurationError, match="DUBBO_MESH_DRAIN"):
            environment.Environment.read({"DUBBO_MESH_DRAIN": f"{longest + 1:g}"})

    def test_each_probe_asks_for_something_that_a_server_answers(self, tmp_path: Path) -> None:
        greeter = container(patched(tmp_path))
        paths = [greeter[name]["httpGet"]["path"] for name in greeter if name.endswith("Probe")]
        assert len(paths) == 3
        server = dubbo_mesh.Server(
            EchoServicer(), address="127.0.0.1:0", probes="127.0.0.1:0", sidecar="off", drain=0
        )
        with server:
            for path in paths:
                with urllib.request.urlopen(f"http://127.0.0.1:{server.probes_port}{path}") as answer:
                    assert answer.read() == b"true"


class TestThePatch:
    def test_leaves_what_is_the_teams(self, tmp_path: Path) -> None:
        template = patched(tmp_path)
        assert template["metadata"]["labels"] == {"team": "platform", "tier": "backend", "app": "greeter"}
        assert template["metadata"]["annotations"]["prometheus.io/scrape"] == "true"
        own = yaml.safe_load(DEPLOYMENT)["spec"]["template"]["spec"]["containers"]
        assert template["spec"]["containers"][0] == own[0]
        greeter = container(template)
        assert greeter["image"] == own[1]["image"]
        assert own[1]["ports"] == greeter["ports"][:2]
        assert environ(template)["DATABASE"] == "postgres://db"

    def test_ports_and_probes_are_on_the_servers_ports(self, tmp_path: Path) -> None:
        greeter = container(patched(tmp_path, "[kubernetes]\nprobes = 9000\n"))
        assert [each["containerPort"] for each in greeter["ports"]] == [50052, 9090, 9000]
        for name in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert greeter[name]["httpGet"]["port"] == 9000
            assert {"httpGet"} == greeter[name].keys() & {"httpGet", "grpc", "exec", "tcpSocket"}

    def test_without_probes_the_teams_own_stay(self, tmp_path: Path) -> None:
        template = patched(tmp_path, '[kubernetes]\nprobes = "off"\n')
        assert container(template)["readinessProbe"]["grpc"] == {"port": 50052}
        assert environment.Environment.read(environ(template)).probes is None

    def test_one_app_may_have_its_own(self, tmp_path: Path) -> None:
        config = """
            [kubernetes]
            probes = 9000
            [kubernetes.apps.greeter]
            sidecar = "classic"
            probes = "off"
            [kubernetes.apps.other]
            sidecar = "none"
        """
        files = emitted(tmp_path, GREETER, service("a.Other", app="other"), config=config)
        greeter, other = (
            yaml.safe_load(files[f"{app}/deployment.yaml"])["spec"]["template"]
            for app in ("greeter", "other")
        )
        assert "proxy.istio.io/config" in greeter["metadata"]["annotations"]
        assert "livenessProbe" not in greeter["spec"]["containers"][0]
        assert "annotations" not in other["metadata"]
        assert other["spec"]["containers"][0]["livenessProbe"]["httpGet"]["port"] == 9000

    @pytest.mark.parametrize(
        ("config", "message"),
        [
            (
                "apps.greter = {}",
                r"mesh.toml:2: kubernetes.apps.greter must be one of the apps \(greeter\), not",
            ),
            ("apps.greeter = 1", "mesh.toml:2: kubernetes.apps.greeter must be a table, not 1"),
            (
                "apps.greeter.drain = 1",
                "mesh.toml:2: unknown key kubernetes.apps.greeter.drain: must be one of",
            ),
            ("apps.greeter.probes = 15020", "mesh.toml:2: .* is 15020, which Istio's sidecar uses"),
        ],
        ids=["name", "table", "key", "port"],
    )
    def test_mistakes_for_one_app(self, config: str, message: str, tmp_path: Path) -> None:
        with pytest.raises(GenerationError, match=message):
            emitted(tmp_path, GREETER, config=f"[kubernetes]\n{config}\n")
        if "greter" in config:
            emitted(tmp_path, GREETER, config=f"partial = true\n[kubernetes]\n{config}\n")

    def test_the_runtime_reads_the_environment(self, tmp_path: Path) -> None:
        config = '[kubernetes]\nprobes = 9000\n[apps.greeter]\ndrain = "1500ms"\n'
        variables = environ(patched(tmp_path, config))
        found = environment.Environment.read(variables)
        assert variables["POD_NAMESPACE"] == "shop"
        assert (found.app, found.probes, found.drain) == ("greeter", "[::]:9000", 1.5)
        assert found.forwarded_for == "10.1.2.3"

    @pytest.mark.parametrize(
        ("config", "policy"),
        [
            ("", "routes"),
            ('[kubernetes]\nsidecar = "none"\n', "headers"),
            ("[apps.greeter]\ncalls = []\n", "headers"),
        ],
        ids=["enforced by routes", "no sidecar", "calls nobody"],
    )
    def test_no_address_is_forwarded_where_it_has_no_effect(
        self, config: str, policy: str, tmp_path: Path
    ) -> None:
        assert "DUBBO_MESH_FORWARDED_FOR" not in environ(patched(tmp_path, config, policy))

    def test_defaults_are_left_to_the_runtime(self, tmp_path: Path) -> None:
        assert {"DUBBO_MESH_DRAIN", "DUBBO_MESH_PROBES"}.isdisjoint(environ(patched(tmp_path)))


class TestTheEnd:
    """The application ends by itself, and the sidecar after it."""

    @pytest.mark.parametrize(
        ("config", "ends"),
        [
            ("", environment.DEFAULT_DRAIN + options.DEFAULT_GRACE),
            ('[kubernetes]\ndrain = "40s"\ngrace = 0.2\n', 40.2),
            ('[kubernetes]\ndrain = "40s"\n[apps.greeter]\ndrain = 2\ngrace = "1m"\n', 62),
        ],
        ids=["defaults", "kubernetes", "app"],
    )
    @pytest.mark.parametrize("sidecar", settings.SIDECARS)
    def test_a_pod_has_longer_than_its_servers(
        self, config: str, ends: float, sidecar: str, tmp_path: Path
    ) -> None:
        table, rest = "[kubernetes]\n", config.removeprefix("[kubernetes]\n")
        template = patched(tmp_path, f'{table}sidecar = "{sidecar}"\n{rest}')
        pod = template["spec"]["terminationGracePeriodSeconds"]
        annotations = template["metadata"]["annotations"]
        assert pod - ends >= build.POD_MARGIN
        native = {"native": "true", "classic": "false", "none": None}[sidecar]
        assert annotations.get("sidecar.istio.io/nativeSidecar") == native
        assert ("proxy.istio.io/config" in annotations) == (sidecar == "classic")
        if sidecar == "classic":
            proxy = yaml.safe_load(annotations["proxy.istio.io/config"])
            assert ends < seconds(proxy["terminationDrainDuration"]) < pod
            assert proxy["holdApplicationUntilProxyStarts"] is True

    def test_pods_are_not_replaced_because_lines_move(self, tmp_path: Path) -> None:
        """Where values come from is in comments of the patch only, never in the pod template itself."""
        config = '[kubernetes]\nsidecar = "classic"\n[apps.greeter]\ndrain = 2\n'
        assert patched(tmp_path, config) == patched(tmp_path, f"\n\n{config}")


class TestAnAppThatOnlyCalls:
    @pytest.mark.parametrize("sidecar", settings.SIDECARS)
    def test_has_what_a_caller_needs(self, sidecar: str, tmp_path: Path) -> None:
        files = emitted(tmp_path, config=f'[apps.greeter]\n[kubernetes]\nsidecar = "{sidecar}"\n')
        assert sorted(files) == [
            "greeter/deployment.yaml",
            "greeter/kustomization.yaml",
            "kustomization.yaml",
        ]
        spec = yaml.safe_load(files["greeter/deployment.yaml"])["spec"]["template"]["spec"]
        assert list(spec) == ["containers"]
        assert list(spec["containers"][0]) == ["name", "env"]
        assert "terminationDrainDuration" not in files["greeter/deployment.yaml"]


class TestBadInput:
    @pytest.mark.parametrize("sidecar", ["native", "classic"])
    @pytest.mark.parametrize("port", [15000, 15001, 15004, 15006, 15008, 15020, 15021, 15053, 15090])
    def test_a_port_of_the_sidecar(self, port: int, sidecar: str, tmp_path: Path) -> None:
        config = f'[kubernetes]\nsidecar = "{sidecar}"\n'
        with pytest.raises(GenerationError, match=rf"^test.proto: app demo: port {port} of service a\.A is"):
            emitted(tmp_path, service("a.A", port=port), config=config)

    def test_a_port_of_the_sidecar_where_there_is_none(self, tmp_path: Path) -> None:
        files = emitted(
            tmp_path, service("a.A", port=15021), config='[kubernetes]\nsidecar = "none"\nprobes = 15020\n'
        )
        assert "port: 15021" in files["demo/service.yaml"]

    def test_a_name_that_kubernetes_accepts_since_1_36_only(self) -> None:
        emitter = KubernetesEmitter()
        mesh = Grouping(None, "headers").group([service("a.A", app="3d")])
        assert 'name: "3d"' in emitter.emit(mesh)[0].content
        [warning] = emitter.warnings
        assert warning.startswith("test.proto: app 3d: Kubernetes before 1.36 refuses a Service")

    @pytest.mark.parametrize("value", ["true", "0", "65536", '"on"', "1.5", "[]"])
    def test_probes(self, value: str, tmp_path: Path) -> None:
        with pytest.raises(GenerationError, match=r"mesh\.toml:2: kubernetes\.probes must be a port"):
            emitted(tmp_path, GREETER, config=f"[kubernetes]\nprobes = {value}\n")

    def test_two_apps_with_one_deployment(self, tmp_path: Path) -> None:
        config = '[apps.a]\ndeployment = "c"\n[apps.b]\ndeployment = "c"\n'
        error = r"mesh\.toml:4: app b has the Deployment 'c', which is that of app a too \(.*mesh\.toml:2\)"
        with pytest.raises(GenerationError, match=error):
            emitted(tmp_path, config=config)

    def test_two_apps_with_one_name_in_two_namespaces(self, tmp_path: Path) -> None:
        config = '[apps.a]\nnamespace = "x"\ndeployment = "c"\n[apps.b]\nnamespace = "y"\ndeployment = "c"\n'
        assert len(emitted(tmp_path, config=config)) == 5


@pytest.mark.parametrize("case", OF_KUBERNETES, ids=lambda case: case.name)
class TestGoldens:
    def test_any_order_of_files_gives_the_same(self, case: Case) -> None:
        assert case.generate(case.protos[::-1]).files == case.generate().files

    def test_services_and_patched_deployments_are_valid(self, case: Case) -> None:
        checked: list[Any] = []
        for path, text in case.generate().files.items():
            for document in yaml.safe_load_all(text):
                if document["kind"] == "Deployment":
                    checked.append(merged(_deployment(document), document))
                elif document["kind"] == "Service":
                    checked.append(document)
            assert text.startswith("# @generated by protoc-gen-dubbo-mesh from "), path
        assert checked
        for resource in checked:
            assert problems(json.dumps(resource)) == []


def _deployment(patch: Any) -> dict[str, Any]:
    """A team's Deployment with the names that a patch is for."""
    base: dict[str, Any] = yaml.safe_load(DEPLOYMENT)
    base["metadata"]["name"] = patch["metadata"]["name"]
    container(base["spec"]["template"])["name"] = patch["spec"]["template"]["spec"]["containers"][0]["name"]
    return base
