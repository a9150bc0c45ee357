from __future__ import annotations

import pytest

from dubbo_mesh import ConfigurationError, Environment
from tests.calling.echo import EchoStub


def test_nothing_said() -> None:
    environment = Environment.read({})
    assert environment == Environment()
    assert environment.mode == "sidecar"
    assert (environment.egress, environment.direct, environment.fallback) == (None, {}, None)
    assert (environment.admin, environment.probes) == ("127.0.0.1:15000", "0.0.0.0:22222")
    assert environment.forwarded_for is None
    assert environment.app is None


def test_everything_said() -> None:
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
