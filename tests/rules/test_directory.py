"""Which application provides which service: from a world, from protos, from `--app`."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from protoc_gen_dubbo_mesh.errors import GenerationError
from protoc_gen_dubbo_mesh.project.sources import proto_path
from protoc_gen_dubbo_mesh.rules.directories import check_names, directory_of
from protoc_gen_dubbo_mesh.rules.directory import Directory, Host
from protoc_gen_dubbo_mesh.rules.worlds import Consumer, Instance, Request, World
from tests.rules.recorded import rules

if TYPE_CHECKING:
    from pathlib import Path

PROTO = """\
syntax = "proto3";
package shop;
import "dubbo_mesh/v1/options.proto";
import "google/protobuf/empty.proto";
service Orders {
  option (dubbo_mesh.v1.service) = { app: "orders" namespace: "shop" port: 50051 };
  rpc SayHello(google.protobuf.Empty) returns (google.protobuf.Empty) {
    option (dubbo_mesh.v1.method) = { timeout { seconds: 3 } };
  }
  rpc place(google.protobuf.Empty) returns (google.protobuf.Empty);
}
service Stock { rpc Take(google.protobuf.Empty) returns (google.protobuf.Empty); }
"""

RULE = """\
configVersion: v3.0
scope: service
force: true
enabled: true
key: shop.Orders
conditions: ["method=sayHello => zone=east"]
"""


def world(service: str = "shop.Orders", application: str = "orders") -> World:
    """A world with one instance, and a request to another service."""
    instance = Instance("east-1", "10.0.0.1", 50051, application, {"zone": "east"})
    request = Request("r", "shop.Other", "Get", None, None, Consumer("web", "10.0.0.9", {}), {}, ())
    return World(service, application, (instance,), (request,))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a proto, as the working directory."""
    (tmp_path / "protos").mkdir()
    (tmp_path / "protos" / "shop.proto").write_text(PROTO)
    (tmp_path / "rule.yaml").write_text(RULE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def descriptors(project: Path) -> Path:
    """The descriptors of that proto, without imports."""
    command = ["-m", "grpc_tools.protoc", f"-I{proto_path()}", "-Iprotos", "--descriptor_set_out=shop.bin"]
    subprocess.run([sys.executable, *command, "shop.proto"], check=True, cwd=project)
    return project / "shop.bin"


def only(directory: Directory) -> Host:
    """The only host."""
    (host,) = directory.hosts
    return host


class TestAWorld:
    def test_names_the_application_and_its_instances(self) -> None:
        host = only(directory_of(world(), (), {}))
        assert (host.name, host.selector) == ("orders", (("app", "orders"),))
        assert host.services == {"shop.Orders": None, "shop.Other": None}
        assert [instance.name for instance in host.instances] == ["east-1"]

    def test_may_have_any_application_until_files_are_named_after_it(self) -> None:
        directory = directory_of(world(application="../Orders"), (), {})
        with pytest.raises(GenerationError, match="DNS label"):
            check_names(directory)


class TestApps:
    def test_are_named(self) -> None:
        directory = directory_of(None, (), {"a.A": "one", "b.B": "two", "c.C": "one"})
        assert {host.name: [*host.services] for host in directory.hosts} == {
            "one": ["a.A", "c.C"],
            "two": ["b.B"],
        }

    def test_contradict_a_world(self) -> None:
        with pytest.raises(GenerationError, match="the world says that orders provides"):
            directory_of(world(), (), {"shop.Orders": "others"})


class TestProtos:
    def test_name_applications_services_and_methods(self, project: Path) -> None:
        host = only(directory_of(None, ["protos"], {}))
        assert (host.name, host.namespace) == ("orders", "shop")
        assert host.services == {"shop.Orders": ("SayHello", "place", "sayHello")}

    def test_come_with_what_istio_is_told_of_the_application(self, project: Path) -> None:
        emitted = only(directory_of(None, ["protos"], {})).emitted
        assert emitted is not None
        assert [entry.name for entry in emitted.entries] == ["orders"]

    def test_of_services_without_an_application_need_one(self, project: Path) -> None:
        directory = directory_of(None, ["protos"], {"shop.Stock": "stock"})
        stock = directory.provider_of("shop.Stock")
        assert stock is not None
        assert (stock.name, stock.services) == ("stock", {"shop.Stock": ("Take", "take")})

    def test_may_be_descriptors_without_their_imports(self, descriptors: Path) -> None:
        assert only(directory_of(None, [str(descriptors)], {})) == only(
            directory_of(None, ["protos"], {})
        )._replace(emitted=only(directory_of(None, [str(descriptors)], {})).emitted)

    def test_may_be_given_twice(self, descriptors: Path) -> None:
        host = only(directory_of(None, ["protos", str(descriptors)], {}))
        assert [*host.services] == ["shop.Orders"]

    def test_take_the_settings_of_the_project(self, project: Path) -> None:
        (project / "pyproject.toml").write_text('[tool.dubbo-mesh.options]\napp = "all"\npolicy = "routes"\n')
        directory = directory_of(None, ["protos"], {})
        assert {host.name for host in directory.hosts} == {"orders", "all"}

    def test_gain_the_instances_of_a_world(self, project: Path) -> None:
        directory = directory_of(world(), ["protos"], {})
        host = directory.provider_of("shop.Orders")
        assert host is not None
        assert (host.namespace, len(host.instances)) == ("shop", 1)
        assert host.services["shop.Other"] is None

    def test_contradict_an_app(self, project: Path) -> None:
        with pytest.raises(GenerationError, match="elsewhere orders does"):
            directory_of(None, ["protos"], {"shop.Orders": "others"})

    @pytest.mark.parametrize(
        ("path", "message"),
        [
            ("nowhere", "nowhere is not a directory"),
            ("rule.yaml", r"rule.yaml: no descriptor set, which protoc --descriptor_set_out writes"),
            ("empty.bin", "there is no service in empty.bin"),
        ],
    )
    def test_may_be_wrong(self, project: Path, path: str, message: str) -> None:
        (project / "empty.bin").write_bytes(b"")
        with pytest.raises(GenerationError, match=message):
            directory_of(None, [path], {})

    def test_with_errors_are_told_with_their_lines(self, project: Path) -> None:
        (project / "protos" / "shop.proto").write_text(PROTO.replace("rpc place", "rpc place-it"))
        with pytest.raises(GenerationError, match=r"^protos/shop.proto:10"):
            directory_of(None, ["protos"], {})


def test_convert_says_which_host_is_missing(project: Path) -> None:
    found = rules("convert", "rule.yaml", "-o", "out", directory=project)
    assert found.status == 1
    assert "--app shop.Orders=" in found.out


def test_convert_knows_methods_from_protos(project: Path) -> None:
    found = rules("convert", "rule.yaml", "--protos", "protos", "-o", "out", directory=project)
    assert found.status == 0
    text = (project / "out" / "orders.yaml").read_text()
    assert "/shop.Orders/sayHello" in text
    assert "namespace: shop" in text
