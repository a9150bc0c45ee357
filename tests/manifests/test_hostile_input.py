"""The structure of what is emitted is ours alone, whatever protos, configs and their files are called."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.generator.compiling import descriptors, generate
from tests.manifests.checks.json_values import is_mapping, is_sequence
from tests.manifests.test_yaml_escaping import texts

PROTO = """\
syntax = "proto3";
package shop;
import "dubbo_mesh/v1/options.proto";
message Order {}
service Orders {
  option (dubbo_mesh.v1.service) = {
    app: "orders" namespace: "shop" port: 50051
    labels { key: "version" value: "v1" }
  };
  rpc place(Order) returns (Order) {
    option (dubbo_mesh.v1.method) = { timeout { seconds: 3 } retry { attempts: 2 on: CONNECT_FAILURE } };
  }
  rpc watch(Order) returns (stream Order);
}
"""
CONFIG = """\
[services."*Orders".methods.watch]
timeout = "90s"
[apps.web]
calls = ["orders.shop"]
"""
HARMLESS = "shop.proto"
EMITTERS = "emit=kubernetes+istio+gateway+envoy"


class Names(NamedTuple):
    """What is called otherwise than in the harmless run."""

    file: str
    package: str
    service: str
    rpc: str


words = st.sampled_from(["null", "yes", "No", "on", "y", "NaN", "Infinity", "e1", "_1", "x" * 80, "true"])
names = st.builds(
    Names,
    file=texts.map(lambda text: f"{text}.proto"),
    package=words,
    service=words.map(lambda word: f"{word}Orders"),
    rpc=words,
)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> FileDescriptorSet:
    root = tmp_path_factory.mktemp("protos")
    (root / HARMLESS).write_text(PROTO)
    return descriptors(root, [HARMLESS], root)


@pytest.fixture(scope="module")
def harmless(compiled: FileDescriptorSet, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    config = tmp_path_factory.mktemp("config") / "mesh.toml"
    return shapes(compiled, HARMLESS, config)


def renamed(compiled: FileDescriptorSet, given_names: Names) -> FileDescriptorSet:
    files = FileDescriptorSet.FromString(compiled.SerializeToString())
    [file] = (file for file in files.file if file.name == HARMLESS)
    file.name, file.package = given_names.file, given_names.package
    file.service[0].name = given_names.service
    file.service[0].method[1].name = given_names.rpc
    for method in file.service[0].method:
        method.input_type = method.output_type = f".{given_names.package}.Order"
    return files


def shapes(files: FileDescriptorSet, name: str, config: Path, rpc: str = "watch") -> dict[str, Any]:
    """The structure of each emitted file: all but the text of its strings and comments."""
    config.write_text(CONFIG.replace(".watch", f".{rpc}"), encoding="utf-8")
    emitted = generate(files, [name], f"{EMITTERS},config={config}")
    assert emitted.error == ""
    return {
        path: shape(list(yaml.load_all(text, yaml.CSafeLoader)))
        for path, text in emitted.files.items()
        if path.endswith(".yaml")
    }


def shape(value: object) -> object:
    if is_mapping(value):
        return {key: shape(item) for key, item in value.items()}
    if is_sequence(value):
        return [shape(item) for item in value]
    return "text" if isinstance(value, str) else value


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given_names=names)
def test_names_change_no_structure(
    given_names: Names, compiled: FileDescriptorSet, harmless: dict[str, Any], tmp_path: Path
) -> None:
    files = renamed(compiled, given_names)
    assert shapes(files, given_names.file, tmp_path / "mesh.toml", given_names.rpc) == harmless


@pytest.mark.parametrize("name", ["a: b #c", "x\n- y", '"{', "k:\n  v: |", "\u2028", "&a *a"])
def test_the_configs_name_changes_no_structure(
    name: str, compiled: FileDescriptorSet, harmless: dict[str, Any], tmp_path: Path
) -> None:
    assert shapes(compiled, HARMLESS, tmp_path / f"{name}.toml") == harmless
