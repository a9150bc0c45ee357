"""What is in force for each service and rpc, and where each value was set."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from protoc_gen_dubbo_mesh import parameters
from protoc_gen_dubbo_mesh.errors import GenerationError
from protoc_gen_dubbo_mesh.policy.json_lines import Key, line_of
from protoc_gen_dubbo_mesh.policy.model import CALL_FIELDS, Identity, RpcPolicy, ServicePolicy
from protoc_gen_dubbo_mesh.policy.precedence import Resolver
from protoc_gen_dubbo_mesh.policy.provenance import field_of
from protoc_gen_dubbo_mesh.protoc import request
from tests.generator import compiling
from tests.generator.compiling import descriptors

PROTO = """\
syntax = "proto3";
package shop;
import "dubbo_mesh/v1/options.proto";
service Braces {
  option (dubbo_mesh.v1.service) = {
    app: "shop"
    labels { key: "track" value: "stable" }
    defaults { timeout { seconds: 9 } }
  };
  rpc get(M) returns (M) {
    option (dubbo_mesh.v1.method) = {
      timeout { seconds: 3 }
      retry { attempts: 3 on: RESET }
    };
  }
  rpc put(M) returns (M);
}
service Dotted {
  option (dubbo_mesh.v1.service).port = 50051;
  option (dubbo_mesh.v1.service).labels = { key: "track" value: "canary" };
  option (dubbo_mesh.v1.service).defaults.per_try_timeout.seconds = 1;
  rpc get(M) returns (M) {
    option (dubbo_mesh.v1.method).timeout.seconds = 3;
    option (dubbo_mesh.v1.method).retry.attempts = 4;
    option (dubbo_mesh.v1.method).retry.on = GATEWAY_ERROR;
    option (dubbo_mesh.v1.method).retry.on = RESET;
  }
}
service Plain {
  rpc get(M) returns (M) {
    option idempotency_level = NO_SIDE_EFFECTS;
  }
  rpc put(M) returns (stream M);
}
message M {}
"""

CONFIG = """\
[services."shop.*"]
namespace = "prod"
defaults = { decorator_operation = "shop" }

[services."shop.Plain"]
version = "1.0"

[services."shop.Plain".methods."p*"]
retry = { attempts = 2 }
stream_duration = "1h"
"""

GRPC = """\
{
  "methodConfig": [
    { "name": [{}], "timeout": "30s" },
    {
      "name": [{ "service": "shop.Plain", "method": "get" }],
      "timeout": "5s",
      "retryPolicy": {
        "maxAttempts": 5,
        "retryableStatusCodes": ["unavailable", 8]
      }
    }
  ]
}
"""

Resolve = Callable[..., dict[str, ServicePolicy]]


@pytest.fixture
def resolve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Resolve:
    """Resolves what is in force for a proto in the working directory, by the names of services."""
    monkeypatch.chdir(tmp_path)

    def run(proto: str, parameter: str = "", **files: str) -> dict[str, ServicePolicy]:
        for name, text in {"shop_proto": proto, **files}.items():
            Path(name.replace("_", ".")).write_text(text, encoding="utf-8")
        compiled = descriptors(tmp_path, ["shop.proto"], tmp_path)
        read = request.read(BytesIO(compiling.request(compiled, ["shop.proto"])))
        resolver = Resolver(parameters.parse(parameter).policy, read)
        return {policy.name: policy for file in read.generate for policy in resolver.resolve(file)}

    return run


@pytest.fixture
def shop(resolve: Resolve) -> dict[str, ServicePolicy]:
    parameter = "config=mesh.toml,service_config=grpc.json,app=from-parameter,labels=tier=web+track=old"
    return resolve(PROTO, parameter, mesh_toml=CONFIG, grpc_json=GRPC)


def identity(policy: ServicePolicy) -> dict[str, tuple[object, str]]:
    """What is set for a service, each value with its origin."""
    return {
        field: (value, str(policy.origin(field)))
        for field in Identity._fields
        if (value := getattr(policy.identity, field)) is not None
    }


def call(policy: ServicePolicy, rpc: str) -> dict[str, tuple[object, str]]:
    """What is set for an rpc, each value with its origin."""
    [found] = [each for each in policy.rpcs if each.name == rpc]
    return {
        field: (value, str(found.origin(field)))
        for field in CALL_FIELDS
        if (value := field_of(found.call, field)) is not None
    }


def test_an_option_in_braces_is_one_statement(shop: dict[str, ServicePolicy]) -> None:
    assert identity(shop["shop.Braces"]) == {
        "app": ("shop", "shop.proto:5 (option)"),
        "namespace": ("prod", "mesh.toml:2 (config)"),
        "labels": ((("track", "stable"),), "shop.proto:5 (option)"),
    }
    assert call(shop["shop.Braces"], "get") == {
        "timeout": (3.0, "shop.proto:11 (option)"),
        "retry.attempts": (3, "shop.proto:11 (option)"),
        "retry.on": (("reset",), "shop.proto:11 (option)"),
        "decorator_operation": ("shop", "mesh.toml:3 (config)"),
    }
    assert call(shop["shop.Braces"], "put")["timeout"] == (9.0, "shop.proto:5 (option)")


def test_dotted_options_have_a_line_each(shop: dict[str, ServicePolicy]) -> None:
    assert identity(shop["shop.Dotted"]) == {
        "app": ("from-parameter", "parameter"),
        "namespace": ("prod", "mesh.toml:2 (config)"),
        "port": (50051, "shop.proto:19 (option)"),
        "labels": ((("track", "canary"),), "shop.proto:20 (option)"),
    }
    assert call(shop["shop.Dotted"], "get") == {
        "timeout": (3.0, "shop.proto:23 (option)"),
        "per_try_timeout": (1.0, "shop.proto:21 (option)"),
        "retry.attempts": (4, "shop.proto:24 (option)"),
        "retry.on": (("gateway-error", "reset"), "shop.proto:25 (option)"),
        "decorator_operation": ("shop", "mesh.toml:3 (config)"),
    }


def test_files_and_what_is_safe(shop: dict[str, ServicePolicy]) -> None:
    assert identity(shop["shop.Plain"]) == {
        "app": ("from-parameter", "parameter"),
        "namespace": ("prod", "mesh.toml:2 (config)"),
        "version": ("1.0", "mesh.toml:6 (config)"),
        "labels": ((("tier", "web"), ("track", "old")), "parameter"),
    }
    assert call(shop["shop.Plain"], "get") == {
        "timeout": (5.0, "grpc.json:6 (service config)"),
        "retry.attempts": (5, "grpc.json:8 (service config)"),
        "retry.grpc_on": (("unavailable", "resource-exhausted"), "grpc.json:9 (service config)"),
        "decorator_operation": ("shop", "mesh.toml:3 (config)"),
    }
    assert call(shop["shop.Plain"], "put") == {
        "timeout": (30.0, "grpc.json:3 (service config)"),
        "retry.attempts": (2, "mesh.toml:9 (config)"),
        "retry.on": (("connect-failure", "refused-stream"), "default"),
        "stream_duration": (3600.0, "mesh.toml:10 (config)"),
        "decorator_operation": ("shop", "mesh.toml:3 (config)"),
    }


def test_an_idempotency_level_asks_for_retries(resolve: Resolve) -> None:
    plain = resolve(PROTO)["shop.Plain"]
    assert call(plain, "get") == {
        "retry.on": (("connect-failure", "refused-stream", "reset"), "shop.proto:31 (idempotency_level)"),
        "retry.grpc_on": (("unavailable",), "shop.proto:31 (idempotency_level)"),
    }
    assert call(plain, "put") == {}


def test_rpcs(shop: dict[str, ServicePolicy]) -> None:
    get, put = shop["shop.Plain"].rpcs
    assert isinstance(get, RpcPolicy)
    assert (get.path, get.idempotent, get.server_streaming) == ("/shop.Plain/get", True, False)
    assert (put.path, put.idempotent, put.server_streaming) == ("/shop.Plain/put", False, True)
    assert put.declaration.where == "shop.proto:33"
    assert shop["shop.Plain"].declaration.where == "shop.proto:29"
    assert get.headers["timeout"] == 5.0


@pytest.mark.parametrize(
    ("config", "labels"),
    [
        ("", (("track", "stable"),)),
        ('[services."shop.Braces"]\nlabels = {}\n', ()),
        ('[services."shop.Braces".labels]\nversion = "v2"\n', (("version", "v2"),)),
    ],
)
def test_labels_are_taken_from_the_strongest_source_as_a_whole(
    config: str, labels: tuple[object, ...], resolve: Resolve
) -> None:
    found = resolve(PROTO, "config=mesh.toml,labels=tier=web", mesh_toml=config)
    assert found["shop.Braces"].identity.labels == labels


AGREEING = """\
[services."shop.*s"]
app = "same"
[services."shop.B*"]
app = "same"
"""
OVERRULED = """\
[services."shop.*s"]
app = "one"
[services."shop.B*"]
app = "other"
[services."shop.Br*"]
app = "longer"
"""


@pytest.mark.parametrize(("config", "app"), [(AGREEING, "same"), (OVERRULED, "longer")])
def test_globs_of_one_length_may_agree_or_be_overruled(config: str, app: str, resolve: Resolve) -> None:
    assert resolve(PROTO, "config=mesh.toml", mesh_toml=config)["shop.Braces"].identity.app == app


def test_globs_of_one_length_that_disagree_about_another_service(resolve: Resolve) -> None:
    config = '[services."shop.*s"]\napp = "one"\n[services."shop.*n"]\napp = "other"\n'
    assert resolve(PROTO, "config=mesh.toml", mesh_toml=config)["shop.Plain"].identity.app == "other"


def test_methods_of_globs_of_one_length(resolve: Resolve) -> None:
    config = """
        [services."shop.*s".methods."g*"]
        timeout = 1
        [services."shop.B*".methods.get]
        timeout = 2
        """
    found = resolve(PROTO, "config=mesh.toml", mesh_toml=config)
    assert call(found["shop.Braces"], "get")["timeout"] == (2.0, "mesh.toml:5 (config)")
    with pytest.raises(
        GenerationError,
        match=r"mesh.toml:3: timeout of rpc shop.Braces.get is 1.0 here and 2.0 in mesh.toml:5",
    ):
        resolve(PROTO, "config=mesh.toml", mesh_toml=config.replace("methods.get", 'methods."*t"'))


def test_a_strict_config_names_all_services_without_an_app(resolve: Resolve) -> None:
    with pytest.raises(GenerationError) as caught:
        resolve(PROTO, "config=mesh.toml", mesh_toml="strict = true\n")
    assert str(caught.value).startswith("shop.proto:18: service shop.Dotted and 1 more have no app")
    assert resolve(PROTO, "config=mesh.toml,app=all", mesh_toml="strict = true\n")


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ((), 1),
        (("methodConfig",), 2),
        (("methodConfig", 0), 3),
        (("methodConfig", 0, "timeout"), 3),
        (("methodConfig", 1), 4),
        (("methodConfig", 1, "name", 0, "method"), 5),
        (("methodConfig", 1, "retryPolicy", "maxAttempts"), 8),
        (("methodConfig", 1, "retryPolicy", "retryableStatusCodes", 1), 9),
        (("methodConfig", 1, "retryPolicy", "unknown"), 7),
        (("unknown",), 1),
    ],
)
def test_lines_of_json(key: Key, line: int) -> None:
    assert line_of(GRPC, key) == line


def test_lines_of_json_with_brackets_and_quotes_in_strings() -> None:
    text = '{"a\\"]": ["x: {", "[,"],\n"b": {"c": [[],\n[1, {"d": 2}]]}}'
    assert line_of(text, ("b", "c", 1, 1, "d")) == 3
    assert line_of(text, ("b", "c", 0)) == 2
