"""The checks of manifests find mistakes, and say nothing against what is right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.istio import wrong_manifests
from tests.manifests.checks import cel_rules, documents, problems, schemas
from tests.manifests.checks.definitions import definition, kinds

# The words of wrong/README.md for what these checks must find. They find what an API server finds, too.
WORDS = {"schema", "values", "apiserver"}


@pytest.mark.parametrize(
    "wrong",
    [wrong for wrong in wrong_manifests.load() if not WORDS.isdisjoint(wrong.caught_by)],
    ids=lambda wrong: wrong.file.stem,
)
def test_a_mistake_is_found(wrong: wrong_manifests.Wrong) -> None:
    assert problems(wrong.file), wrong.mistake


RIGHT = sorted((Path(__file__).parent / "right").glob("*.yaml"))


@pytest.mark.parametrize("file", RIGHT, ids=lambda file: file.stem)
def test_nothing_is_said_against_what_is_right(file: Path) -> None:
    assert problems(file) == []


# What is changed in what is right, and part of what must be said then.
WORSE = [
    ("Service", "port: 50052", "port: 50051", "spec.ports.1: 50051 TCP is there twice"),
    ("Service", "targetPort: grpc,", "targetPort: GRPC,", "spec.ports.0.targetPort must be a number or"),
    ("Service", "h2c}", "h2c/x}", "spec.ports.0.appProtocol must be a qualified name"),
    ("Service", "name: greeter\n", "name: 1greeter\n", "metadata.name must be a DNS label that begins with"),
    ("Service", "namespace: shop", "namespace: a.b", "metadata.namespace must be a DNS label, not 'a.b'"),
    ("Service", "app.kubernetes.io/name", "app_x/name", "metadata.labels must have qualified names as keys"),
    ("Service", "  namespace: shop", "  nameSpace: shop", "'nameSpace' was unexpected"),
    ("Service", 'version: ""', "version: 1", "1 is not of type 'string'"),
    ("Deployment", "name: files, mount", "name: file, mount", "there is no volume 'file'"),
    ("Deployment", "{name: proxy,", "{name: greeter,", "initContainers.0.name: greeter is there twice"),
    ("Deployment", "restartPolicy: Always, ", "", "initContainers.0.startupProbe must not be set"),
    ("Deployment", "maxSurge: 1", "maxSurge: 0%", "must let pods be replaced"),
    ("Deployment", "status.podIP", "status.podIp", "must be a field of the pod, not 'status.podIp'"),
    ("Deployment", "name: DUBBO_MESH_APP", "name: A=B", "must be the name of an environment variable"),
    ("Deployment", "{grpc: {port: 50051}", "{grpc: {port: 0}", "livenessProbe.grpc.port must be from 1"),
    ("Deployment", "          image: greeter\n", "", "containers.0.image must be set"),
    ("Deployment", "proxy.istio.io/config", "proxy/istio/config", "annotations must have qualified names"),
    ("Deployment", "metadata: {name: greeter}", "metadata: {}", "metadata.name must be a string"),
    ("Deployment", "proxy.istio.io/config", "proxy.istio.io/configs", "Istio does not know proxy.istio.io"),
    ("Deployment", "proxy.istio.io/config", "networking.istio.io/exportTo", "must be on Service, not on Pod"),
    ("Deployment", "terminationDrainDuration", "drain", 'has no field named "drain"'),
    ("Deployment", '"terminationDrainDuration: 30s"', '"terminationDrainDuration: 30"', "Duration JSON"),
    ("Deployment", '"terminationDrainDuration: 30s"', "30s", "config: must be a mapping, as text"),
    ("Service", "app.kubernetes.io/name", "istio.io/name", "Istio does not know istio.io/name"),
    ("ConfigMap", "envoy.yaml", "etc/envoy.yaml", "data must have file names as keys"),
    ("VirtualService", "timeout: 3s", "timeout: 3", "spec.http.0.timeout: 3 is not of type 'string'"),
    ("VirtualService", "timeout: 3s", "timeout: 2001-12-14", "must be a string"),
    ("VirtualService", "timeout: 3s\n", "timeout: 3s\n      timeout: 4\n", "the key 'timeout' is there"),
    ("VirtualService", "kind: VirtualService", "kind: VirtualServices", "has no kind VirtualServices"),
    ("GRPCRoute", "Route\nmetadata:", "Route\nmeta:", "metadata must be a mapping"),
    ("GRPCRoute", "matches: [", "matches: [{method: {service: a/b}}, ", "service must only contain valid"),
    ("GRPCRoute", "{method: {service: greeter.Greeter}}",
     "{headers: [{name: a, value: b}, {name: a, value: c}]}",
     "spec.rules.0.matches.0.headers.1: ['a'] is there twice"),
    ("EnvoyFilter", "no_traffic_interval", "idle_interval", 'has no field named "idle_interval"'),
    ("EnvoyFilter", "interval: 5s,", "interval: 5,", "interval"),
    ("EnvoyFilter", "interval: 5s,", "interval: 0s,", "health_checks.0.interval must be gt 0, not 0s"),
    ("EnvoyFilter", "operation: MERGE", "operation: REMOVE_ALL", "is not one of"),
    ("EnvoyFilter", ".v3.HealthCheck", ".v3.Health", "Envoy has no message type.googleapis.com/envoy"),
    ("EnvoyFilter", "googleapis.com/envoy", "googleapis.com/envoi", "Envoy has no message type"),
    ("EnvoyFilter", "HTTP_FILTER", "INVALID", "spec.configPatches.0.applyTo must be one of"),
    ("bootstrap", "cluster_name: greeter", "cluster: greeter", "no such field: 'cluster'"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "old", "new", "said"), WORSE, ids=[said for *_, said in WORSE])
def test_a_change_for_the_worse_is_found(kind: str, old: str, new: str, said: str) -> None:
    right = (Path(__file__).parent / "right" / f"{kind}.yaml").read_text(encoding="utf-8")
    assert old in right
    assert said in " ".join(problems(right.replace(old, new)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "while parsing a flow node"),
        ("a: b\na: c", "the key 'a' is there twice"),
        ("1: b", "the key 1 must be a string"),
        ("a: on", "line 1: on must be quoted"),
        ("a: b\nc: 0755", "line 2: 0755 must be quoted"),
        ("a: 1e3", "1e3 must be quoted"),
        ("a: 1:30", "1:30 must be quoted"),
        ("a: 1_000", "1_000 must be quoted"),
        ("a: ~", "~ must be quoted"),
        ("a: .5", ".5 must be quoted"),
        ("a: True", "True must be quoted"),
        ("a: b", "document: apiVersion and kind must be set"),
        ("- a", "document: must be a mapping"),
        ("apiVersion: v1\nkind: Servise", "Kubernetes has no kind Servise in v1"),
    ],
)
def test_what_is_no_resource_is_refused(text: str, said: str) -> None:
    assert said in " ".join(problems(text))


def test_all_rules_can_be_evaluated() -> None:
    for group, kind in kinds():
        defined = definition(group, kind)
        assert defined
        for schema in defined.schemas.values():
            for rule in cel_rules.rules(schema):
                cel_rules.compiled(rule)


def test_defaults_are_added_before_rules_are_evaluated() -> None:
    schema = {
        "properties": {"a": {"default": {}, "properties": {"b": {"default": 3, "type": "integer"}}}},
        "x-kubernetes-validations": [{"rule": "self.a.b > 3", "message": "too small"}],
    }
    value: dict[str, Any] = {}
    schemas.add_defaults(schema, value)
    assert list(cel_rules.broken(schema, value)) == ["the resource: too small"]


def test_a_rule_that_cannot_be_evaluated_is_a_problem() -> None:
    schema = {"x-kubernetes-validations": [{"rule": "self.a.b > 3"}]}
    [found] = cel_rules.broken(schema, {"c": 1})
    assert found.startswith("the resource: the rule self.a.b > 3 cannot be evaluated")


def test_the_documents_of_a_text_are_loaded() -> None:
    assert documents.load("---\na: 1\n---\n---\nb: 2\n") == [{"a": 1}, {"b": 2}]
