"""What is emitted for Kubernetes: Services, patches for Deployments, and the components that tie them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

import dubbo_mesh
from dubbo_mesh._addressing import environment
from dubbo_mesh._serving import options
from protoc_gen_dubbo_mesh.errors import GenerationError
from protoc_gen_dubbo_mesh.kubernetes import build, settings
from protoc_gen_dubbo_mesh.kubernetes.emitter import KubernetesEmitter
from protoc_gen_dubbo_mesh.mesh.grouping import Grouping
from protoc_gen_dubbo_mesh.policy import config_file
from protoc_gen_dubbo_mesh.policy.model import ServicePolicy
from tests.calling.echo import EchoServicer
from tests.generator.goldens import GENERATED, Case
from tests.manifests.checks import problems
from tests.manifests.services import service
from tests.manifests.strategic_merge import merged

ROOT = Path(__file__).parents[2]

GREETER = service("a.Greeter", app="greeter", port=50052)
OF_KUBERNETES = [case for case in GENERATED if case.name.startswith("kubernetes_")]

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: greeter
  labels: { team: platform }
spec:
  replicas: 3
  selector: { matchLabels: { team: platform, tier: backend } }
  template:
    metadata:
      labels: { team: platform, tier: backend }
      annotations: { prometheus.io/scrape: "true" }
    spec:
      serviceAccountName: greeter
      containers:
        - name: log-shipper
          image: registry.example/logs:3
          ports: [{ containerPort: 5170 }]
          readinessProbe: { tcpSocket: { port: 5170 } }
        - name: greeter
          image: registry.example/greeter:1
          env:
            - { name: DATABASE, value: "postgres://db" }
            - { name: DUBBO_MESH_APP, value: old }
          ports:
            - { containerPort: 50052, name: triple, protocol: TCP }
            - { containerPort: 9090, name: metrics }
          readinessProbe: { grpc: { port: 50052 }, initialDelaySeconds: 5 }
          livenessProbe: { exec: { command: ["true"] } }
"""
"""A Deployment as teams have them: two containers, with ports, probes and environments of their own."""


def emitted(
    directory: Path, *services: ServicePolicy, config: str = "", policy: str = "headers"
) -> dict[str, str]:
    """The emitted files, by their paths below `kubernetes/`."""
    read = None
    if config:
        path = directory / "mesh.toml"
        path.write_text(config, encoding="utf-8")
        read = config_file.read(str(path))
    mesh = Grouping(read, policy).group(services)
    files = KubernetesEmitter().emit(mesh)
    return {path.removeprefix("kubernetes/"): content for path, content, _ in files}


def patched(directory: Path, config: str = "", policy: str = "headers") -> dict[str, Any]:
    """The pod template of a team's Deployment with the patch for the greeter."""
    patch = yaml.safe_load(
        emitted(directory, GREETER, config=config, policy=policy)["greeter/deployment.yaml"]
    )
    template: dict[str, Any] = merged(yaml.safe_load(DEPLOYMENT), patch)["spec"]["template"]
    return template


def container(template: Mapping[str, Any]) -> dict[str, Any]:
    """The greeter's container."""
    found: dict[str, Any] = next(each for each in template["spec"]["containers"] if each["name"] == "greeter")
    return found


def environ(template: Mapping[str, Any]) -> dict[str, str]:
    """The environment that the greeter has in a pod."""
    fields = {"metadata.namespace": "shop", "status.podIP": "10.1.2.3"}
    return {
        each["name"]: each["value"] if "value" in each else fields[each["valueFrom"]["fieldRef"]["fieldPath"]]
        for each in container(template)["env"]
    }


def seconds(duration: str) -> float:
    """A duration as protobuf spells it."""
    assert duration.endswith("s")
    return float(duration[:-1])


class TestTheRuntimesDefaults:
    def test_are_these(self) -> None:
        assert f"[::]:{settings.DEFAULT_PROBES}" == environment.DEFAULT_PROBES
        assert settings.DEFAULT_DRAIN == environment.DEFAULT_DRAIN
        assert settings.DEFAULT_GRACE == options.DEFAULT_GRACE

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


class TestKustomize:
    def test_adds_the_service_and_patches_the_deployment(self, kustomization: Kustomization) -> None:
        [one, other] = kustomization.build()
        assert (one["kind"], other["kind"]) == ("Service", "Deployment")
        by_us = patched(kustomization.directory)
        assert in_any_order(other["spec"]["template"]) == in_any_order(by_us)

    @pytest.mark.parametrize("in_base", ["", "  namespace: shop\n"], ids=["none", "in the deployment"])
    @pytest.mark.parametrize("more", ["", "namespace: retail\n"], ids=["none", "in the kustomization"])
    def test_whatever_the_namespace(self, in_base: str, more: str, kustomization: Kustomization) -> None:
        deployment = DEPLOYMENT.replace("  name: greeter\n  labels", f"  name: greeter\n{in_base}  labels")
        [_, built] = kustomization.build(deployment, more=more)
        assert container(built["spec"]["template"])["startupProbe"]

    def test_all_apps_at_once(self, kustomization: Kustomization) -> None:
        assert kustomization.build(component="gen/kubernetes") == kustomization.build()

    def test_a_deployment_of_another_name_is_an_error(self, kustomization: Kustomization) -> None:
        deployment = DEPLOYMENT.replace("name: greeter\n  labels", "name: x\n  labels")
        with pytest.raises(KustomizeError, match="nothing selected by Deployment"):
            kustomization.build(deployment)

    def test_a_container_of_another_name_is_an_error(self, kustomization: Kustomization) -> None:
        with pytest.raises(KustomizeError, match=r"containers\.\[name=greeter\]\.image` is missing"):
            kustomization.build(DEPLOYMENT.replace("- name: greeter", "- name: server"))

    def test_the_guides_example(self, kustomization: Kustomization) -> None:
        """What docs/set-up.md has beside the files that it shows."""
        guide = (ROOT / "docs" / "set-up.md").read_text(encoding="utf-8")
        files = dict(re.findall(r"^```yaml (\S+)\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL))
        at = kustomization.directory / "guide"
        shutil.copytree(ROOT / "golden" / "set_up_headers" / "expected", at)
        (at / "deployment.yaml").write_text(files["deployment.yaml"], encoding="utf-8")
        by_guide = files["kustomization.yaml"].replace("yaml]", "yaml, istio/greeter.yaml]")
        (at / "kustomization.yaml").write_text(by_guide, encoding="utf-8")
        built = kustomization._replace(directory=at).built()
        assert {"Service", "Deployment", "VirtualService"} <= {each["kind"] for each in built}
        assert {each["metadata"]["namespace"] for each in built} == {"shop"}
        assert [found for each in built for found in problems(json.dumps(each))] == []
        [template] = (each["spec"]["template"] for each in built if each["kind"] == "Deployment")
        assert environ(template)["DUBBO_MESH_APP"] == "greeter"


class KustomizeError(Exception):
    """A kustomization cannot be built."""


class Kustomization(NamedTuple):
    """A team's kustomization, with what is emitted for the greeter."""

    kubectl: str
    directory: Path

    def build(
        self, deployment: str = DEPLOYMENT, *, component: str = "gen/kubernetes/greeter", more: str = ""
    ) -> list[Any]:
        """The resources.

        Args:
            deployment: the team's Deployment.
            component: the directory of the component that is taken in.
            more: further lines of the kustomization.

        Raises:
            KustomizeError: it cannot be built.
        """
        (self.directory / "deployment.yaml").write_text(deployment, encoding="utf-8")
        (self.directory / "kustomization.yaml").write_text(
            f"resources: [deployment.yaml]\ncomponents: [{component}]\n{more}", encoding="utf-8"
        )
        return self.built()

    def built(self) -> list[Any]:
        """The resources of the kustomization as it is.

        Raises:
            KustomizeError: it cannot be built.
        """
        command = [self.kubectl, "kustomize", str(self.directory)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise KustomizeError(done.stderr)
        return list(yaml.safe_load_all(done.stdout))


@pytest.fixture
def kustomization(tmp_path: Path) -> Kustomization:
    found = shutil.which("kubectl")
    if found is None:
        pytest.skip("kubectl is not installed, so no kustomization is built")
    for path, text in emitted(tmp_path, GREETER).items():
        file = tmp_path / "gen" / "kubernetes" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return Kustomization(found, tmp_path)


def in_any_order(template: Mapping[str, Any]) -> Any:
    """A pod template to be compared with another one: kustomize puts first what a patch mentions."""
    greeter = container(template)
    others = [each for each in template["spec"]["containers"] if each != greeter]
    ports = sorted(greeter["ports"], key=str)
    return {**template, "spec": {**template["spec"], "containers": others}}, {
        **greeter,
        "env": environ(template),
        "ports": ports,
    }
