"""Components for kustomize are checked, with what they refer to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.manifests.checks import problems

SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: greeter}
spec: {ports: [{port: 50051}]}
"""
COMPONENT = """\
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
resources: [service.yaml]
patches:
  - path: deployment-patch.yaml
    target: {kind: Deployment, name: greeter}
"""
PATCH = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: greeter}
spec:
  template:
    spec:
      containers: [{name: greeter, livenessProbe: {httpGet: {path: /live, port: 22222}}}]
"""


@pytest.fixture
def component(tmp_path: Path) -> Path:
    tmp_path.joinpath("service.yaml").write_text(SERVICE)
    tmp_path.joinpath("deployment-patch.yaml").write_text(PATCH)
    file = tmp_path / "kustomization.yaml"
    file.write_text(COMPONENT)
    return file


def test_a_component(component: Path) -> None:
    assert problems(component) == []


def test_a_patch_may_leave_out_what_is_required(component: Path) -> None:
    patch = component.with_name("deployment-patch.yaml")
    assert problems(patch) == []
    assert "'selector' is a required property" in " ".join(problems(PATCH))


@pytest.mark.parametrize("directive", ["replace", "delete", "overwrite"])
def test_a_patch_may_have_directives(directive: str, component: Path) -> None:
    patch = component.with_name("deployment-patch.yaml")
    patch.write_text(PATCH.replace("{httpGet", f"{{$patch: {directive}, httpGet"))
    assert bool(problems(patch)) == (directive == "overwrite")


@pytest.mark.parametrize("wrong", ["port: 0", "port: 22222, hots: a", "scheme: http, port: 22222"])
def test_a_patch_is_checked(wrong: str, component: Path) -> None:
    patch = component.with_name("deployment-patch.yaml")
    patch.write_text(PATCH.replace("port: 22222", wrong))
    assert problems(patch)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("v1alpha1", "v1beta1", "apiVersion and kind must be one of"),
        ("resources", "resource", "there is no field resource"),
        ("service.yaml", "services.yaml", "resources: there is no services.yaml"),
        ("service.yaml", "service.yaml, service.yaml", "service.yaml is there twice"),
        ("path: deployment-patch.yaml", "path: other.yaml", "patches.0: there is no other.yaml"),
        ("path: deployment-patch.yaml", "path: other.yaml", "deployment-patch.yaml is beside it, and not"),
        ("    target", "    targets", "patches.0 has no field targets"),
        ("{kind: Deployment", "{kinds: Deployment", "patches.0.target has no field kinds"),
    ],
)  # fmt: skip
def test_a_wrong_component(old: str, new: str, said: str, component: Path) -> None:
    component.write_text(COMPONENT.replace(old, new))
    assert said in " ".join(problems(component))
