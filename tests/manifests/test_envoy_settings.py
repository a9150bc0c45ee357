"""`[envoy]` and `[apps]` in the config, and what they make of static Envoys."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from protoc_gen_dubbo_mesh.envoy.emitter import EnvoyEmitter
from protoc_gen_dubbo_mesh.errors import GenerationError
from protoc_gen_dubbo_mesh.mesh.grouping import Grouping
from protoc_gen_dubbo_mesh.policy import config_file
from protoc_gen_dubbo_mesh.policy.model import CallPolicy
from tests.manifests.services import rpc, service

Emit = Callable[..., dict[str, str]]
SERVICES = [
    service("a.A", [rpc("slow", CallPolicy(timeout=9.0)), rpc("r")], app="one", port=7000),
    service("a.B", [rpc("slow", CallPolicy(timeout=9.0)), rpc("r")], app="one"),  # port 80
    service("a.C", [rpc("r")], app="two", namespace="shop", port=7000),
]


@pytest.fixture
def emitted(tmp_path: Path) -> Emit:
    """What is emitted for `SERVICES` with a config."""

    def emit(text: str = "", enforced_by: str = "headers") -> dict[str, str]:
        config = tmp_path / "mesh.toml"
        config.write_text(text, encoding="utf-8")
        mesh = Grouping(config_file.read(str(config)), enforced_by).group(SERVICES)
        return {file.path: file.content for file in EnvoyEmitter().emit(mesh)}

    return emit


def virtual_hosts(bootstrap: str) -> list[Mapping[str, Any]]:
    """Those for the calls that an application makes."""
    content = yaml.load(bootstrap, yaml.CSafeLoader)
    [listener] = [each for each in content["static_resources"]["listeners"] if each["name"] == "outbound"]
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    found: list[Mapping[str, Any]] = manager["route_config"]["virtual_hosts"]
    return found


def ports(value: Any) -> Iterator[int]:
    """All ports on which a bootstrap's listeners and admin endpoint listen."""
    content = yaml.load(value, yaml.CSafeLoader)
    for each in (content["admin"], *content["static_resources"]["listeners"]):
        yield each["address"]["socket_address"]["port_value"]


class TestFiles:
    def test_there_is_a_consumer_if_nobody_is_said_to_call(self, emitted: Emit) -> None:
        bootstraps = {path for path in emitted() if path.endswith(".yaml")}
        laptop = {f"envoy/laptop/{name}.yaml" for name in ("consumer", "one-1", "two-1")}
        assert bootstraps == laptop | {f"envoy/compose/{name}.yaml" for name in ("consumer", "one", "two")}

    def test_there_is_none_if_somebody_is(self, emitted: Emit) -> None:
        files = emitted('[apps.two]\ncalls = ["one"]\n')
        assert not any("consumer" in path for path in files)
        assert [each["name"] for each in virtual_hosts(files["envoy/laptop/two-1.yaml"])] == [
            "one-80",
            "one-7000",
        ]

    def test_there_are_none_for_an_app_with_nothing_to_do(self, emitted: Emit) -> None:
        assert not any("idle" in path for path in emitted('[apps.idle]\nnamespace = "shop"\n'))

    def test_there_are_as_many_as_instances(self, emitted: Emit) -> None:
        files = emitted("[apps.one]\ninstances = 12\n")
        assert sum(path.startswith("envoy/laptop/one-") for path in files) == 2 * 12
        assert "envoy/laptop/one-12.yaml" in files


class TestPorts:
    def test_of_all_envoys_differ(self, emitted: Emit) -> None:
        files = emitted('[apps.one]\ninstances = 3\ncalls = ["two"]\n[envoy]\nbase_port = 4000\n')
        used = [
            port
            for path in files
            if path.endswith(".yaml") and "laptop" in path
            for port in ports(files[path])
        ]
        assert len(used) == len(set(used)) == 3 * 4 + 2
        assert min(used) == 4000

    def test_are_in_the_header_of_each_file(self, emitted: Emit) -> None:
        files = emitted()
        for path in files:
            if "laptop" in path and path.endswith(".yaml"):
                header = "".join(line for line in files[path].splitlines() if line.startswith("#"))
                assert all(str(port) in header for port in ports(files[path]))

    def test_of_blocks_with_the_smallest_size(self, emitted: Emit) -> None:
        with pytest.raises(GenerationError, match="app one has 2 ports, so each instance needs 8 ports"):
            emitted("[envoy]\nblock_size = 7\n")
        assert emitted("[envoy]\nblock_size = 8\n")

    def test_of_the_last_block_are_the_last_ones(self, emitted: Emit) -> None:
        assert emitted(f"[envoy]\nbase_port = {65536 - 3 * 20}\n")
        with pytest.raises(
            GenerationError, match="leaves ports for 2 instances with 20 each, and 3 are needed"
        ):
            emitted(f"[envoy]\nbase_port = {65537 - 3 * 20}\n")


class TestNames:
    def test_without_a_port_mean_port_80(self, emitted: Emit) -> None:
        hosts = virtual_hosts(emitted()["envoy/laptop/consumer.yaml"])
        assert {each["name"]: each["domains"] for each in hosts} == {
            "one-80": ["one.default.svc.cluster.local", "one.default.svc.cluster.local:80"],
            "one-7000": ["one.default.svc.cluster.local:7000"],
            "two-7000": ["two.shop.svc.cluster.local", "two.shop.svc.cluster.local:7000"],
        }

    def test_without_a_namespace_mean_the_callers(self, emitted: Emit) -> None:
        files = emitted('[apps.two]\ncalls = ["one"]\n[envoy]\ncluster_domain = "example"\n')
        [host, _] = virtual_hosts(files["envoy/laptop/two-1.yaml"])
        assert host["domains"][0] == "one.shop.svc.example"
        assert "CLUSTER_DOMAIN=example\n" in files["envoy/laptop/two-1.env"]
        assert "POD_NAMESPACE=shop\n" in files["envoy/laptop/two-1.env"]


class TestRoutes:
    def test_are_one_for_each_port_if_headers_decide(self, emitted: Emit) -> None:
        for host in virtual_hosts(emitted()["envoy/laptop/consumer.yaml"]):
            [route] = host["routes"]
            assert route["match"] == {"prefix": "/"}
            assert route["route"] == {"cluster": host["name"], "timeout": "0s"}

    def test_of_a_port_are_those_of_its_services(self, emitted: Emit) -> None:
        hosts = virtual_hosts(emitted(enforced_by="routes")["envoy/laptop/consumer.yaml"])
        found = {
            host["name"]: [(r["match"], r["route"]["timeout"]) for r in host["routes"]] for host in hosts
        }
        everything = ({"prefix": "/"}, "0s")
        assert found == {
            "one-80": [({"path": "/a.B/slow"}, "9s"), everything],
            "one-7000": [({"path": "/a.A/slow"}, "9s"), everything],
            "two-7000": [everything],
        }


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("base_port = 0", "must be an integer from 1 to 65535, not 0"),
        ('base_port = "a"', "envoy.base_port must be an integer of at least 0, not 'a'"),
        ("block_size = 5", "envoy.block_size must be from 6 to 1000, not 5"),
        ("block_size = 1001", "envoy.block_size must be from 6 to 1000, not 1001"),
        ("ipv6 = 1", "envoy.ipv6 must be true or false, not 1"),
        ('cluster_domain = ""', "envoy.cluster_domain is empty"),
        ('cluster_domain = "a..b"', "envoy.cluster_domain must be a DNS name"),
        ("compose_network = 1", "envoy.compose_network must be a string, not 1"),
    ],
)
def test_wrong_values_are_errors_with_their_line(emitted: Emit, text: str, error: str) -> None:
    with pytest.raises(GenerationError) as raised:
        emitted(f"[envoy]\n{text}\n")
    assert error in str(raised.value)
    assert "mesh.toml:2: " in str(raised.value)
