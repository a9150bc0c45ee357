"""What is emitted for Kubernetes, and a team's Deployment that it is for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from protoc_gen_dubbo_mesh.kubernetes.emitter import KubernetesEmitter
from protoc_gen_dubbo_mesh.mesh.grouping import Grouping
from protoc_gen_dubbo_mesh.policy import config_file
from protoc_gen_dubbo_mesh.policy.model import ServicePolicy
from tests.manifests.services import service
from tests.manifests.strategic_merge import merged

GREETER = service("a.Greeter", app="greeter", port=50052)

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
