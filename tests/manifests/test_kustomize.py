"""kubectl's kustomize adds what is emitted for Kubernetes to a team's own resources."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.istio.binaries import BUILT
from tests.manifests.checks import problems
from tests.manifests.kubernetes import DEPLOYMENT, GREETER, container, emitted, environ, patched

ROOT = Path(__file__).parents[2]


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
    found = shutil.which("kubectl", path=os.pathsep.join([os.environ["PATH"], str(BUILT / "bin")]))
    if found is None:
        pytest.skip("kubectl is neither installed nor built (`make istio`), so no kustomization is built")
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
