from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping

import pytest

from dubbo_mesh import ConfigurationError, Environment
from dubbo_mesh._addressing.environment import VARIABLES, unknown_variables
from tests.calling.echo import EchoStub


def test_by_default() -> None:
    environment = Environment.read({})
    assert environment == Environment()
    assert environment.mode == "sidecar"
    assert (environment.egress, environment.direct, environment.fallback) == (None, {}, None)
    assert (environment.admin, environment.probes) == ("127.0.0.1:15000", "[::]:22222")
    assert environment.forwarded_for is None
    assert environment.app is None


def test_everything_that_can_be_set() -> None:
    environment = Environment.read(
        {
            "DUBBO_MESH_APP": "shop",
            "DUBBO_MESH_MODE": "direct",
            "DUBBO_MESH_EGRESS": "127.0.0.1:15001",
            "DUBBO_MESH_DIRECT": "demo=127.0.0.1:50051, other=[::1]:50052 ,",
            "DUBBO_MESH_ADMIN": "127.0.0.1:19000",
            "DUBBO_MESH_PROBES": "off",
            "DUBBO_MESH_FORWARDED_FOR": "pod",
            "POD_IP": "10.1.2.3",
            "DUBBO_MESH_FALLBACK": "proxyless",
            "DUBBO_MESH_FALLBACK_AFTER": "2.5",
            "DUBBO_MESH_CARRY": "X-Tenant, x-user",
            "DUBBO_MESH_DRAIN": "0",
        }
    )
    assert environment.app == "shop"
    assert environment.mode == "direct"
    assert environment.egress == "127.0.0.1:15001"
    assert environment.direct == {"demo": "127.0.0.1:50051", "other": "[::1]:50052"}
    assert environment.admin == "127.0.0.1:19000"
    assert environment.probes is None
    assert environment.forwarded_for == "10.1.2.3"
    assert (environment.fallback, environment.fallback_after) == ("proxyless", 2.5)
    assert environment.carried >= {"x-tenant", "x-user", "traceparent"}
    assert environment.drain == 0


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DUBBO_MESH_APP", "sh\nop"),
        ("DUBBO_MESH_APP", " shop"),
        ("DUBBO_MESH_MODE", "Sidecar"),
        ("DUBBO_MESH_MODE", "mesh"),
        ("DUBBO_MESH_EGRESS", "15001"),
        ("DUBBO_MESH_EGRESS", "localhost:"),
        ("DUBBO_MESH_EGRESS", "localhost:0"),
        ("DUBBO_MESH_EGRESS", "localhost:70000"),
        ("DUBBO_MESH_EGRESS", "http://localhost:15001"),
        ("DUBBO_MESH_EGRESS", "a..b:15001"),
        ("DUBBO_MESH_EGRESS", ".:15001"),
        ("DUBBO_MESH_EGRESS", ".a:15001"),
        ("DUBBO_MESH_EGRESS", "-a:15001"),
        ("DUBBO_MESH_EGRESS", "a b:15001"),
        ("DUBBO_MESH_EGRESS", "a\x7f:15001"),
        ("DUBBO_MESH_EGRESS", "bücher.example:15001"),
        ("DUBBO_MESH_EGRESS", "127.0.0.1:\u0661\u0665"),
        ("DUBBO_MESH_EGRESS", f"{'a' * 64}:15001"),
        ("DUBBO_MESH_EGRESS", f"{'.'.join(['a' * 63] * 4)}.a:15001"),
        ("DUBBO_MESH_EGRESS", "256.0.0.1:15001"),
        ("DUBBO_MESH_EGRESS", "10.0.0:15001"),
        ("DUBBO_MESH_EGRESS", "::1:15001"),
        ("DUBBO_MESH_EGRESS", "[::1]"),
        ("DUBBO_MESH_EGRESS", "[:::1]:15001"),
        ("DUBBO_MESH_EGRESS", "[]:15001"),
        ("DUBBO_MESH_EGRESS", "[127.0.0.1]:15001"),
        ("DUBBO_MESH_ADMIN", "a..b:15000"),
        ("DUBBO_MESH_PROBES", "a..b:22222"),
        ("DUBBO_MESH_DIRECT", "demo=a..b:50051"),
        ("DUBBO_MESH_DIRECT", "127.0.0.1:50051"),
        ("DUBBO_MESH_DIRECT", "demo=127.0.0.1"),
        ("DUBBO_MESH_DIRECT", "Demo=127.0.0.1:50051"),
        ("DUBBO_MESH_DIRECT", "demo=127.0.0.1:1,demo=127.0.0.1:2"),
        ("DUBBO_MESH_ADMIN", "/var/run/envoy.sock"),
        ("DUBBO_MESH_PROBES", "no"),
        ("DUBBO_MESH_FORWARDED_FOR", "on"),
        ("DUBBO_MESH_FORWARDED_FOR", "pod"),  # without POD_IP
        ("DUBBO_MESH_FALLBACK", "sidecar"),
        ("DUBBO_MESH_FALLBACK_AFTER", "soon"),
        ("DUBBO_MESH_FALLBACK_AFTER", "-1"),
        ("DUBBO_MESH_FALLBACK_AFTER", "nan"),
        ("DUBBO_MESH_FALLBACK_AFTER", "inf"),
        ("DUBBO_MESH_CARRY", "x tenant"),
        ("DUBBO_MESH_CARRY", "authorization"),
        ("DUBBO_MESH_CARRY", "x-tenant, te"),
        ("DUBBO_MESH_DRAIN", "5s"),
        ("DUBBO_MESH_DRAIN", "1e9"),
    ],
)
def test_a_malformed_variable_is_an_error_that_names_it(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigurationError, match=f"^{variable}:? ") as raised:
        Environment.read({variable: value})
    assert "\n" not in str(raised.value)
    # And at once, not with the first call.
    monkeypatch.setenv("POD_NAMESPACE", "default")
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=f"^{variable}:? "):
        EchoStub()


@pytest.mark.parametrize(
    "variable", ["DUBBO_MESH_MODE", "DUBBO_MESH_EGRESS", "DUBBO_MESH_DRAIN", "DUBBO_MESH_FALLBACK"]
)
def test_an_empty_variable_is_not_set(variable: str) -> None:
    assert Environment.read({variable: ""}) == Environment()


@pytest.mark.parametrize(
    "address",
    [
        "localhost:1",
        "127.0.0.1:65535",
        "[::1]:80",
        "[fe80::1%eth0]:80",
        "a.b.c.:80",
        "my_service:80",
        "Host-1.example.:80",
        "1a:80",
        "1.example:80",
    ],
)
def test_hosts_that_there_are_can_be_given(address: str) -> None:
    assert Environment.read({"DUBBO_MESH_EGRESS": address}).egress == address


@pytest.mark.parametrize(
    "name",
    [
        *("authorization", "proxy-authorization", "cookie", "set-cookie", "Cookie"),
        *(
            "te",
            "TE",
            "connection",
            "keep-alive",
            "proxy-connection",
            "transfer-encoding",
            "upgrade",
            "trailer",
        ),
        *(
            "content-type",
            "content-length",
            "content-encoding",
            "accept-encoding",
            "host",
            "user-agent",
            "expect",
        ),
        *("via", "forwarded", "http2-settings", "grpc-timeout", "grpc-status-details-bin", "grpc-trace-bin"),
        *("x-envoy-max-retries", "X-Envoy-Internal", "x-forwarded-for", "x-forwarded-client-cert"),
        *("x-client-trace-id", "tri-consumer-appname", "tri-service-version", "tri-header-convert"),
    ],
)
def test_what_is_about_one_connection_or_request_cannot_be_carried(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^DUBBO_MESH_CARRY: {name.lower()} must not be sent on"):
        Environment.read({"DUBBO_MESH_CARRY": f"x-tenant,{name}"})


@pytest.mark.parametrize("name", ["x-tenant", "key-bin", "dubbo.tag", "end-user", "team", "x-real-ip"])
def test_headers_of_the_application_can_be_carried(name: str) -> None:
    assert name in Environment.read({"DUBBO_MESH_CARRY": name}).carried


class Changing(Mapping[str, str]):
    """An environment that another thread changes at every look."""

    def __init__(self) -> None:
        self._looked = 0

    def __getitem__(self, name: str) -> str:
        self._looked += 1
        if self._looked % 2:
            raise KeyError(name)
        return ""

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("dictionary changed size during iteration")

    def __len__(self) -> int:
        return 0


def test_a_thread_that_changes_the_environment_does_no_harm() -> None:
    assert Environment.read(Changing()) == Environment()

    stop = threading.Event()

    def change() -> None:
        while not stop.is_set():
            for number in range(100):
                os.environ[f"SOMEBODYS_{number}"] = "1"
            for number in range(100):
                del os.environ[f"SOMEBODYS_{number}"]

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(300):
            Environment.read()
            unknown_variables()
    finally:
        stop.set()
        thread.join()


def test_variables_that_are_none_of_ours_are_found() -> None:
    environ = {
        "DUBBO_MESH_MOD": "direct",
        "DUBBO_MESH_EGRES": "x",
        "DUBBO_MESH_FALLBACKAFTER": "1",
        "DUBBO_MESH_TEAM": "blue",
        "DUBBO_MESH_MODE": "direct",
        "DUBBO_REGISTRY": "x",
        # Of a Kubernetes Service called dubbo-mesh-shop.
        "DUBBO_MESH_SHOP_SERVICE_HOST": "10.0.0.1",
        "DUBBO_MESH_SHOP_SERVICE_PORT_GRPC": "80",
        "DUBBO_MESH_SHOP_PORT": "tcp://10.0.0.1:80",
        "DUBBO_MESH_SHOP_PORT_80_TCP_ADDR": "10.0.0.1",
        "PATH": "/",
    }
    assert unknown_variables(environ) == {
        "DUBBO_MESH_MOD": "DUBBO_MESH_MODE",
        "DUBBO_MESH_EGRES": "DUBBO_MESH_EGRESS",
        "DUBBO_MESH_FALLBACKAFTER": "DUBBO_MESH_FALLBACK_AFTER",
        "DUBBO_MESH_TEAM": None,
    }
    assert unknown_variables(dict.fromkeys(VARIABLES, "x")) == {}
