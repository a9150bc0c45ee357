"""A mistake is one line that names both sides, whatever is emitted, and nothing is written."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from protoc_gen_dubbo_mesh.parameters import EMITTERS
from tests.generator.compiling import descriptors, generate

MANIFESTS = [kind for kind in EMITTERS if kind != "python"]


class Mistake(NamedTuple):
    """A mistake.

    Attributes:
        says: a regular expression that matches the whole error.
        first, second: the options of two services.
        rpc: those of the first one's rpc.
        config: a config, if there is one.
        parameters: further parameters.
        kinds: what has to be emitted for it to be one.
    """

    says: str
    first: str = 'app: "greeter" port: 50051'
    second: str = 'app: "greeter" port: 50051'
    rpc: str = ""
    config: str = ""
    parameters: str = ""
    kinds: Sequence[str] = MANIFESTS


LONG = "a" * 64
LABEL = "v" * 40

MISTAKES = {
    "a port with two protocols": Mistake(
        r"test\.proto:13: app greeter: port 22222 of service Second is that of Kubernetes' probes, which are "
        r"HTTP \(default\): .+",
        second='app: "greeter" port: 22222',
        kinds=["kubernetes"],
    ),
    "a port with two protocols, configured": Mistake(
        r"test\.proto:7: app greeter: port 50051 of service First is that of Kubernetes' probes, which are "
        r"HTTP \(mesh\.toml:2 \(config\)\): .+",
        config="[kubernetes]\nprobes = 50051\n",
        kinds=["kubernetes"],
    ),
    "an app's name of 64 characters": Mistake(
        rf"test\.proto:7: service First: app must be a DNS label \(.*at most 63 .*\), not '{LONG}'",
        first=f'app: "{LONG}"',
    ),
    "a namespace of 64 characters": Mistake(
        rf"parameter namespace must be a DNS label \(.*at most 63 .*\), not '{LONG}'",
        parameters=f"namespace={LONG}",
    ),
    "an app of the config with 64 characters": Mistake(
        rf"mesh\.toml:1: app must be a DNS label \(.*at most 63 .*\), not '{LONG}'",
        config=f"[apps.{LONG}]\n",
    ),
    "labels that make a subset of 81 characters": Mistake(
        rf"test\.proto:13: app greeter: the labels one={LABEL}, two={LABEL} of service Second make a "
        r"subset's name of 81 characters, and Istio allows 63: use shorter labels",
        second=f'app: "greeter" labels {{ key: "one" value: "{LABEL}" }} '
        f'labels {{ key: "two" value: "{LABEL}" }}',
    ),
    "a label's key that Kubernetes refuses": Mistake(
        r"test\.proto:7: service First: labels: 'not a key' must be .+",
        first='app: "greeter" labels { key: "not a key" value: "v" }',
    ),
    "a label's value that Kubernetes refuses": Mistake(
        r"test\.proto:7: service First: labels: .*'v/1'.*",
        first='app: "greeter" labels { key: "version" value: "v/1" }',
    ),
    "labels of the config that Kubernetes refuses": Mistake(
        r"mesh\.toml:2: kubernetes\.labels: 'a b' must be .+",
        config='[kubernetes]\nlabels = { "a b" = "c" }\n',
        kinds=["kubernetes"],
    ),
    "a namespace for one service only": Mistake(
        r"test\.proto:12: app greeter has namespace shop for service First \(test\.proto:7\) and none for "
        r"service Second: set it for both, or for neither",
        first='app: "greeter" namespace: "shop"',
    ),
    "another namespace in the config": Mistake(
        r"mesh\.toml:1: app greeter has namespace shop here and none for service First \(test\.proto:5\): .+",
        config='[apps.greeter]\nnamespace = "shop"\n',
    ),
    "a retry condition that Istio lacks": Mistake(
        r"test\.proto:10: retry\.on of rpc First\.Call must not hold retriable-headers, which Istio's routes "
        r"cannot express: .+",
        rpc="retry { attempts: 2 on: RETRIABLE_HEADERS }",
        parameters="policy=routes",
        kinds=["istio"],
    ),
    "headers to retry on, which Istio lacks": Mistake(
        r"test\.proto:10: retry\.header_names of rpc First\.Call cannot be expressed in Istio's routes: .+",
        rpc='retry { attempts: 2 header_names: "x-again" }',
        parameters="policy=routes",
        kinds=["istio"],
    ),
    "a retry condition that nobody has": Mistake(
        r"mesh\.toml:2: .*on must .*'sometimes'.*",
        config='[services."*".defaults]\nretry = { on = ["sometimes"] }\n',
    ),
    "a timeout of half a millisecond, Istio": Mistake(
        r"test\.proto:10: timeout of rpc First\.Call must be whole milliseconds in Istio's routes, not "
        r"0\.5 ms",
        rpc="timeout { nanos: 500000 }",
        parameters="policy=routes",
        kinds=["istio"],
    ),
    "a timeout of half a millisecond, Gateway API": Mistake(
        r"test\.proto:10: the timeout of rpc First\.Call must be in whole milliseconds for an HTTPRoute, not "
        r"0\.0005s",
        rpc="timeout { nanos: 500000 }",
        parameters="policy=routes",
        kinds=["gateway"],
    ),
    "a per-try timeout of half a millisecond": Mistake(
        r"test\.proto:10: per_try_timeout of rpc First\.Call must be whole milliseconds in Istio's routes, "
        r"not 0\.5 ms",
        rpc="per_try_timeout { nanos: 500000 } retry { attempts: 2 on: RESET }",
        parameters="policy=routes",
        kinds=["istio"],
    ),
    "an unknown emitter": Mistake(
        r"parameter emit must be one of python, kubernetes, istio, gateway, envoy, not 'docker'",
        parameters="emit=python+docker",
        kinds=[""],
    ),
    "an emitter twice": Mistake(
        r"parameter emit names istio twice: remove one",
        parameters="emit=istio+istio",
        kinds=[""],
    ),
    "no emitter": Mistake(
        r"parameter emit has no value: write emit=\.\.\.",
        parameters="emit=",
        kinds=[""],
    ),
    "an empty emitter": Mistake(
        r"parameter emit must be one of python, kubernetes, istio, gateway, envoy, not ''",
        parameters="emit=python+",
        kinds=[""],
    ),
    "an unknown policy": Mistake(
        r"parameter policy must be one of headers, routes, not 'sidecar'",
        parameters="policy=sidecar",
    ),
    "an unknown key of an app": Mistake(
        r"mesh\.toml:2: unknown key apps\.greeter\.replicas: must be one of .+",
        config="[apps.greeter]\nreplicas = 2\n",
    ),
    "an unknown table": Mistake(
        r"mesh\.toml:1: unknown key docker: must be one of .+",
        config="[docker]\n",
    ),
    "a call to an app that is in two namespaces": Mistake(
        r"mesh\.toml:1: app web calls greeter, which is in the namespaces one, two: write greeter\.one .+",
        first='app: "greeter" namespace: "one"',
        second='app: "greeter" namespace: "two"',
        config='[apps.web]\ncalls = ["greeter"]\n',
        kinds=["istio", "envoy"],
    ),
    "labels that its app's pods do not have": Mistake(
        r"test\.proto:13: app greeter: service Second is on pods with app=other, and the Kubernetes Service "
        r"of the app selects those with app=greeter: .+",
        second='app: "greeter" labels { key: "app" value: "other" }',
    ),
    "an app with the name of another file": Mistake(
        r"test\.proto:7: app internal-addresses has the name of the file about the internal addresses of all "
        r"apps: rename it, or set istio\.internal_addresses = \[\] if these are configured elsewhere",
        first='app: "internal-addresses"',
        kinds=["istio"],
    ),
}

PROTO = """\
syntax = "proto3";

import "dubbo_mesh/v1/options.proto";

service First {{
  // Its options:
  option (dubbo_mesh.v1.service) = {{ {first} }};

  rpc Call(M) returns (M) {{
    option (dubbo_mesh.v1.method) = {{ {rpc} }}; }}
}}
service Second {{
  option (dubbo_mesh.v1.service) = {{ {second} }};
  rpc Call(M) returns (M);
}}

message M {{}}
"""


@cache
def compiled(source: str) -> FileDescriptorSet:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        (root / "test.proto").write_text(source, encoding="utf-8")
        return descriptors(root, ["test.proto"], root)


CASES = [
    pytest.param(mistake, kind, id=f"{name}-{kind}".rstrip("-"))
    for name, mistake in MISTAKES.items()
    for kind in mistake.kinds
]


@pytest.mark.parametrize(("mistake", "kind"), CASES)
def test_each_mistake(mistake: Mistake, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    parameters = [mistake.parameters, f"emit=python+{kind}" if kind else ""]
    if mistake.config:
        (tmp_path / "mesh.toml").write_text(mistake.config, encoding="utf-8")
        parameters.append("config=mesh.toml")
    source = PROTO.format(first=mistake.first, second=mistake.second, rpc=mistake.rpc)
    got = generate(compiled(source), ["test.proto"], ",".join(filter(None, parameters)))
    matches = bool(re.fullmatch(mistake.says, got.error))
    assert matches, got.error
    assert got.files == {}


@pytest.mark.parametrize("kind", MANIFESTS)
def test_without_a_mistake_there_are_files(kind: str) -> None:
    source = PROTO.format(first=Mistake("").first, second=Mistake("").second, rpc="")
    got = generate(compiled(source), ["test.proto"], f"emit=python+{kind}")
    assert got.error == ""
    assert {name.partition("/")[0] for name in got.files} == {"test_mesh.py", kind}
