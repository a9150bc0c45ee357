"""Rules and what `emit=istio` writes for the same host become one VirtualService and one DestinationRule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from protoc_gen_dubbo_mesh import cli
from protoc_gen_dubbo_mesh.rules.dialects import DEFAULT
from protoc_gen_dubbo_mesh.rules.directories import directory_of
from protoc_gen_dubbo_mesh.rules.expressing.base import base
from protoc_gen_dubbo_mesh.rules.expressing.routes import routes
from protoc_gen_dubbo_mesh.rules.expressing.subsets import Subsets
from protoc_gen_dubbo_mesh.rules.rendering import render
from protoc_gen_dubbo_mesh.rules.resources import HostFile
from protoc_gen_dubbo_mesh.rules.simulating import route_of, simulate
from protoc_gen_dubbo_mesh.rules.translating import translate
from protoc_gen_dubbo_mesh.rules.worlds import Consumer, Instance, Request, World

if TYPE_CHECKING:
    from pathlib import Path

PROTO = """\
syntax = "proto3";
package shop;
import "dubbo_mesh/v1/options.proto";
import "google/protobuf/empty.proto";
service Orders {
  option (dubbo_mesh.v1.service) = { app: "orders" namespace: "shop" };
  rpc find(google.protobuf.Empty) returns (google.protobuf.Empty) {
    option idempotency_level = NO_SIDE_EFFECTS;
    option (dubbo_mesh.v1.method) = {
      timeout { seconds: 3 } per_try_timeout { seconds: 1 } retry { attempts: 3 on: CONNECT_FAILURE }
    };
  }
  rpc get(google.protobuf.Empty) returns (google.protobuf.Empty) {
    option (dubbo_mesh.v1.method) = { timeout { seconds: 3 } };
  }
  rpc place(google.protobuf.Empty) returns (google.protobuf.Empty);
}
service Stock {
  option (dubbo_mesh.v1.service) = {
    app: "orders" namespace: "shop" labels { key: "version" value: "v2" }
    defaults { timeout { seconds: 7 } }
  };
  rpc take(google.protobuf.Empty) returns (google.protobuf.Empty);
  rpc give(google.protobuf.Empty) returns (google.protobuf.Empty);
}
"""

CONFIG = """\
[istio.apps.orders]
outlier_detection = { consecutive_5xx_errors = 5, interval = 10, base_ejection_time = 30 }
health_checks = { interval = 5, timeout = 1 }
"""

RULE = """\
configVersion: v3.0
scope: service
force: true
enabled: true
key: {key}
conditions: [{conditions}]
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with protos and a config, as the working directory."""
    (tmp_path / "protos").mkdir()
    (tmp_path / "protos" / "shop.proto").write_text(PROTO)
    (tmp_path / "mesh.toml").write_text(CONFIG)
    _set_options(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _set_options(project: Path, **more: str) -> None:
    options = {"policy": "routes", "config": "mesh.toml", **more}
    lines = [f'{name} = "{value}"' for name, value in options.items()]
    (project / "pyproject.toml").write_text("\n".join(["[tool.dubbo-mesh.options]", *lines]) + "\n")


def emitted(project: Path) -> list[dict[str, Any]]:
    """What `emit=istio` writes for the application."""
    assert cli.main(["generate", "--root", "protos", "--out", "gen", "--option", "emit=istio"]) == 0
    return [*yaml.safe_load_all((project / "gen" / "istio" / "orders.yaml").read_text())]


def without_rules() -> list[dict[str, Any]]:
    """What is written for the application if rules say nothing of it."""
    (host,) = directory_of(None, ["protos"], {}).hosts
    found = base(host)
    subsets = Subsets(found.subsets)
    file = HostFile(
        name=host.name,
        namespace=host.namespace,
        routes=routes(host.name, found.drafts, subsets, {}, found.entries),
        subsets=subsets.all(),
        policy=found.policy,
        emitted=host.emitted,
    )
    (rendered,) = render([file])
    return [*yaml.safe_load_all(rendered.text)]


def merged(project: Path, *conditions: str, key: str = "shop.Orders") -> HostFile:
    """The file of the application with some conditions."""
    text = ", ".join(f'"{each}"' for each in conditions)
    (project / "rule.yaml").write_text(RULE.format(key=key, conditions=text))
    found = translate(["rule.yaml"], DEFAULT, None, ["protos"], {})
    assert not found.problems
    (host,) = found.hosts
    return host


def call(method: str, application: str = "web") -> Request:
    """A request."""
    service, _, name = method.rpartition("/")
    return Request("r", service, name, None, None, Consumer(application, "10.0.0.9", {}), {}, ())


class TestWithoutRules:
    @pytest.mark.parametrize("policy", ["routes", "headers"])
    def test_the_same_is_written(self, project: Path, policy: str) -> None:
        _set_options(project, policy=policy)
        assert without_rules() == emitted(project)

    def test_the_same_is_written_for_several_ports(self, project: Path) -> None:
        config = CONFIG + '[services."shop.Stock"]\nport = 50052\n'
        (project / "mesh.toml").write_text(config)
        assert without_rules() == emitted(project)

    def test_no_file_is_written(self, project: Path) -> None:
        (project / "rule.yaml").write_text(RULE.format(key="shop.Orders", conditions=""))
        assert translate(["rule.yaml"], DEFAULT, None, ["protos"], {}).hosts == ()


class TestWithRules:
    def test_both_have_an_effect(self, project: Path) -> None:
        file = merged(project, "method=find => zone=east")
        route = route_of(file, call("shop.Orders/find"))
        assert route is not None
        assert (route.timeout, route.retries and route.retries.attempts) == ("3s", 2)
        labels = {subset.name: subset.labels for subset in file.subsets}
        assert labels[route.destinations[0].subset or ""] == (("zone", "east"),)

    def test_other_routes_are_as_they_were(self, project: Path) -> None:
        before, _, *_ = without_rules()
        file = merged(project, "method=find => zone=east")
        (rendered,) = render([file])
        after, *_ = yaml.safe_load_all(rendered.text)
        names = {each["name"]: each for each in after["spec"]["http"]}
        for each in before["spec"]["http"]:
            if each["name"] != "shop.Orders/find":  # which the rule replaces
                assert names[each["name"]] == each

    def test_a_condition_for_all_methods_splits_all_routes_of_its_service(self, project: Path) -> None:
        file = merged(project, "application=web => zone=east")
        for method, timeout in (("find", "3s"), ("get", "3s"), ("place", None)):
            for application, labels in (("web", (("zone", "east"),)), ("app", ())):
                route = route_of(file, call(f"shop.Orders/{method}", application))
                assert route is not None
                assert route.timeout == timeout
                subset = route.destinations[0].subset
                found = next((each.labels for each in file.subsets if each.name == subset), ())
                assert found == labels
        stock = route_of(file, call("shop.Stock/take"))
        assert stock is not None
        assert (stock.timeout, stock.destinations[0].subset, stock.sources) == ("7s", "v2", ())

    def test_subsets_are_narrowed(self, project: Path) -> None:
        file = merged(project, "=> zone=east", key="shop.Stock")
        instances = tuple(
            [
                Instance(f"{zone}-{version}", "10.0.0.1", 1, "orders", {"zone": zone, "version": version})
                for zone in ("east", "west")
                for version in ("v1", "v2")
            ]
        )
        world = World("shop.Stock", "orders", instances, ())
        assert simulate(file, world, call("shop.Stock/take")) == {("east-v2",): 1.0}
        assert simulate(file, world, call("shop.Orders/get")) == {
            ("east-v1", "east-v2", "west-v1", "west-v2"): 1.0
        }
        assert "v2" in {subset.name for subset in file.subsets}

    def test_nothing_is_matched_twice(self, project: Path) -> None:
        file = merged(
            project, "method=find => zone=east", "application=web => lane=a", "method=place => zone=west"
        )
        matches = [match for route in file.routes for match in route.matches]
        assert len(matches) == len(set(matches))

    def test_a_denial_has_no_timeout(self, project: Path) -> None:
        route = route_of(merged(project, "method=find =>"), call("shop.Orders/find"))
        assert route is not None
        assert (route.status, route.timeout, route.retries) == (403, None, None)

    def test_several_ports_are_told_apart(self, project: Path) -> None:
        (project / "mesh.toml").write_text(CONFIG + '[services."shop.Stock"]\nport = 50052\n')
        file = merged(project, "=> zone=east", key="shop.Stock")
        route = route_of(file, call("shop.Stock/take"))
        assert route is not None
        assert [each.port for each in route.destinations] == [50052]
        assert all(match.port == 50052 for match in route.matches)
        other = route_of(file, call("shop.Orders/place"))
        assert other is not None
        assert [each.port for each in other.destinations] == [80]

    def test_all_other_resources_stay(self, project: Path) -> None:
        before = emitted(project)
        (rendered,) = render([merged(project, "method=find => zone=east")])
        after = [*yaml.safe_load_all(rendered.text)]
        assert [(each["kind"], each["metadata"]) for each in after] == [
            (each["kind"], each["metadata"]) for each in before
        ]
        assert after[2:] == before[2:]
        rule = after[1]["spec"]["trafficPolicy"]
        assert rule == before[1]["spec"]["trafficPolicy"]
        assert "istio/orders.yaml, which emit=istio writes, and replaces it" in rendered.text
