from __future__ import annotations

import logging
from typing import Literal

import pytest

from dubbo_mesh import ConfigurationError, Environment, Service, Target
from dubbo_mesh._addressing.dialing import dial
from dubbo_mesh._addressing.environment import Mode
from tests.calling.echo import EchoStub


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("POD_NAMESPACE", "CLUSTER_DOMAIN"):
        monkeypatch.delenv(name, raising=False)


def test_the_proposals_address() -> None:
    target = Target("demo", "default", 50051)
    assert target.host == "demo.default.svc.cluster.local"
    assert target.authority == "demo.default.svc.cluster.local:50051"
    assert target.url == "http://demo.default.svc.cluster.local:50051"
    assert str(target) == target.authority


def test_the_port_is_80_if_left_out() -> None:
    assert Target("demo", "default").authority == "demo.default.svc.cluster.local:80"


def test_what_is_given_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POD_NAMESPACE", "of-the-pod")
    monkeypatch.setenv("CLUSTER_DOMAIN", "of.the.cluster")
    assert Target("demo", "prod", cluster_domain="example.org").host == "demo.prod.svc.example.org"
    assert Target("demo").host == "demo.of-the-pod.svc.of.the.cluster"


@pytest.mark.parametrize("empty", [True, False])
def test_without_a_namespace_it_is_default_and_the_log_warns_once_for_each_app(
    empty: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if empty:
        monkeypatch.setenv("POD_NAMESPACE", "")
        monkeypatch.setenv("CLUSTER_DOMAIN", "")
    app = f"warned-about-{empty}".lower()
    with caplog.at_level(logging.WARNING, "dubbo_mesh"):
        assert [Target(app).host for _ in range(3)] == [f"{app}.default.svc.cluster.local"] * 3
    (warning,) = caplog.messages
    assert app in warning
    assert "POD_NAMESPACE" in warning


def test_in_direct_mode_nobody_needs_a_namespace(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DUBBO_MESH_MODE", "direct")
    monkeypatch.setenv("DUBBO_MESH_DIRECT", "direct-only=127.0.0.1:1")
    with caplog.at_level(logging.WARNING, "dubbo_mesh"), EchoStub(target=Target("direct-only", port=50051)):
        pass
    assert not caplog.messages
    # In another mode the same target's address is used.
    monkeypatch.delenv("DUBBO_MESH_MODE")
    monkeypatch.delenv("DUBBO_MESH_DIRECT")
    with caplog.at_level(logging.WARNING, "dubbo_mesh"), EchoStub(target=Target("direct-only", port=50051)):
        pass
    assert len(caplog.messages) == 1


def test_what_is_left_out_is_settled_when_the_target_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POD_NAMESPACE", "then")
    target = Target("demo")
    monkeypatch.setenv("POD_NAMESPACE", "now")
    assert target.namespace == "then"
    assert target == Target("demo", "then")


def test_a_domain_may_have_its_trailing_dot() -> None:
    assert Target("demo", "default", cluster_domain="cluster.local.").host == "demo.default.svc.cluster.local"


@pytest.mark.parametrize(
    "app", ["", "Demo", "de_mo", "-demo", "demo-", "d" * 64, "demo.default", "démo", "demo\n"]
)
def test_an_app_must_be_a_dns_label(app: str) -> None:
    with pytest.raises(ValueError, match=r"app .* DNS label"):
        Target(app, "default")


@pytest.mark.parametrize("app", ["d", "0", "d" * 63, "de-mo"])
def test_any_dns_label_is_an_app(app: str) -> None:
    assert Target(app, "default").app == app


def test_the_error_says_which_name_is_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"^namespace must be .*, not ''"):
        Target("demo", "")
    with pytest.raises(ValueError, match=r"^cluster_domain is empty"):
        Target("demo", "default", cluster_domain="")
    with pytest.raises(ValueError, match=r"^cluster_domain must be .*, not 'a\.\.b'"):
        Target("demo", "default", cluster_domain="a..b")
    with pytest.raises(ValueError, match=r"^cluster_domain must be a DNS name"):
        Target("demo", "default", cluster_domain=".".join(["d" * 63] * 4))
    monkeypatch.setenv("CLUSTER_DOMAIN", "cluster_local")
    with pytest.raises(ConfigurationError, match=r"^CLUSTER_DOMAIN: must be .*, not 'cluster_local'"):
        Target("demo", "default")
    monkeypatch.setenv("POD_NAMESPACE", "a.b")
    with pytest.raises(ConfigurationError, match=r"^POD_NAMESPACE: must be .*, not 'a\.b'"):
        Target("demo")


@pytest.mark.parametrize("port", [0, -1, 65536, True, "80", 80.0])
def test_a_port_is_a_whole_number_in_range(port: int) -> None:
    with pytest.raises(ValueError, match=r"^port .* from 1 to 65535"):
        Target("demo", "default", port)


def test_a_service_without_app_says_how_to_give_one() -> None:
    with pytest.raises(ConfigurationError, match=r"test\.Nameless.*app"):
        Service("test.Nameless").target()


def test_targets_are_values() -> None:
    assert {Target("demo", "default"), Target("demo", "default", 80, "cluster.local")} == {
        Target("demo", "default")
    }
    with pytest.raises(AttributeError):
        Target("demo", "default").port = 81  # type: ignore[misc]


@pytest.mark.parametrize(
    ("mode", "fallback", "used"),
    [
        ("sidecar", None, False),
        ("sidecar", "proxyless", False),
        ("sidecar", "direct", True),
        ("proxyless", "direct", False),
        ("direct", None, True),
    ],
)
def test_an_address_of_direct_mode_that_is_not_used_is_warned_of_once(
    mode: Mode,
    fallback: Literal["proxyless", "direct"] | None,
    used: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("GRPC_XDS_BOOTSTRAP", "bootstrap.json")
    app = f"unused-{mode}-{fallback}".lower()
    environment = Environment(mode=mode, fallback=fallback, direct={app: "127.0.0.1:1"})
    with caplog.at_level(logging.WARNING, "dubbo_mesh"):
        for target in (Target(app, "shop"), Target(app, "shop"), Target("other", "shop")):
            if target.app == app or mode != "direct":
                dial(target, environment)
    expected = f"the address of app '{app}' in DUBBO_MESH_DIRECT is not used: DUBBO_MESH_MODE is {mode}."
    assert [message.partition(" Set")[0] for message in caplog.messages] == ([] if used else [expected])
