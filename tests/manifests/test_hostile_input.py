"""The structure of what is emitted is ours alone, whatever protos, configs and their files are called."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from tests.generator.compiling import Generated, descriptors, generate
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


ANY_RPC = CONFIG.replace("methods.watch", 'methods."*"').replace("timeout", "decorator_operation")
HOSTILE = ("a: b #c", "x\n- y\n---\nz: 1", '"{', "k:\n  v: |", "\u2028\u202e\x85", "&a *a", "\t", "# }]")

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
    return shapes_of(emitted)


def shapes_of(emitted: Generated) -> dict[str, Any]:
    return {
        path: shape(list(yaml.load_all(text, yaml.CSafeLoader)))
        if path.endswith(".yaml")
        else [line.partition("=")[0] for line in text.splitlines() if not line.startswith("#")]
        for path, text in emitted.files.items()
    }


def shape(value: object) -> object:
    if is_mapping(value):
        return {key: shape(item) for key, item in value.items()}
    if is_sequence(value):
        return [shape(item) for item in value]
    return "text" if isinstance(value, str) else value


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given_names=names)
def test_names_change_no_structure(
    given_names: Names, compiled: FileDescriptorSet, harmless: dict[str, Any], tmp_path: Path
) -> None:
    files = renamed(compiled, given_names)
    assert shapes(files, given_names.file, tmp_path / "mesh.toml", given_names.rpc) == harmless


@pytest.mark.parametrize("name", HOSTILE)
def test_the_configs_name_changes_no_structure(
    name: str, compiled: FileDescriptorSet, harmless: dict[str, Any], tmp_path: Path
) -> None:
    assert shapes(compiled, HARMLESS, tmp_path / f"{name}.toml") == harmless


anything = st.one_of(st.sampled_from(HOSTILE), texts.filter(bool))


@pytest.mark.parametrize("policy", ["headers", "routes"])
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given_names=st.builds(Names, texts.map("{}.proto".format), anything, anything, anything))
def test_names_that_no_compiler_accepts_are_one_line_or_change_no_structure(
    policy: str, given_names: Names, compiled: FileDescriptorSet, tmp_path: Path
) -> None:
    """A request need not come from a compiler: these names are all refused, or paths would not be paths."""
    config = tmp_path / "mesh.toml"
    config.write_text('[apps.web]\ncalls = ["orders.shop"]\n', encoding="utf-8")
    parameter = f"{EMITTERS},policy={policy},config={config}"
    emitted = generate(renamed(compiled, given_names), [given_names.file], parameter)
    assert all(line.isprintable() for line in (emitted.error, *emitted.warnings))
    if emitted.error:
        assert emitted.files == {}
    else:
        assert shapes_of(emitted) == shapes_of(generate(compiled, [HARMLESS], parameter))


@pytest.mark.parametrize("name", HOSTILE)
def test_parsers_of_both_versions_of_yaml_read_the_same(
    name: str, compiled: FileDescriptorSet, tmp_path: Path
) -> None:
    config = tmp_path / f"{name.replace('/', '')}.toml"
    operation = "".join(char for char in name if " " <= char <= "~").strip() or "op"
    config.write_text(ANY_RPC.replace('"90s"', json.dumps(operation)))
    files = renamed(compiled, Names(f"{name}.proto", "yes", "nullOrders", "on"))
    emitted = generate(files, [f"{name}.proto"], f"{EMITTERS},config={config}")
    assert emitted.error == ""
    for path, text in emitted.files.items():
        if path.endswith(".yaml"):
            parser: Any = YAML(typ="safe", pure=True)  # it has no types
            by_1_2 = list(parser.load_all(text))
            assert by_1_2 == list(yaml.load_all(text, yaml.CSafeLoader)), path
