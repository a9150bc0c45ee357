"""`[istio]` in the config, and what it makes of Istio's resources."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from protoc_gen_dubbo_mesh.errors import GenerationError
from protoc_gen_dubbo_mesh.istio.settings import DEFAULT_INTERNAL_ADDRESSES
from tests.manifests.istio import Resource, emit, resources
from tests.manifests.services import rpc, service

Emit = Callable[..., dict[str, str]]
SERVICES = [service("a.A", [rpc("r")], app="one", namespace="shop"), service("a.B", app="two")]


@pytest.fixture
def emitted(tmp_path: Path) -> Emit:
    """What is emitted for `SERVICES` with a config."""

    def emit_with(text: str, enforced_by: str = "headers") -> dict[str, str]:
        config = tmp_path / "mesh.toml"
        config.write_text(text, encoding="utf-8")
        return emit(SERVICES, enforced_by, config)

    return emit_with


def filters(files: dict[str, str], name: str) -> list[Resource]:
    """The EnvoyFilters of a name."""
    return [each for each in resources(files, "EnvoyFilter") if each["metadata"]["name"] == name]


def patch(envoy_filter: Resource) -> Any:
    """The value of an EnvoyFilter's patch."""
    [found] = envoy_filter["spec"]["configPatches"]
    return found["patch"]["value"]


class TestInternalAddresses:
    NAME = "dubbo-mesh-internal-addresses"

    def test_are_private_ones_in_each_namespace(self) -> None:
        found = filters(emit(SERVICES), self.NAME)
        assert [each["metadata"].get("namespace") for each in found] == [None, "shop"]
        for each in found:
            assert self.ranges(each) == list(DEFAULT_INTERNAL_ADDRESSES)

    def test_are_not_set_where_nothing_is_called(self, emitted: Emit) -> None:
        files = emitted("[apps.two]\ncalls = []\n")
        assert [each["metadata"].get("namespace") for each in filters(files, self.NAME)] == ["shop"]
        files = emitted("[apps.one]\ncalls = []\n[apps.two]\ncalls = []\n")
        assert sorted(files) == ["istio/one.yaml", "istio/two.yaml"]

    def test_are_configured(self, emitted: Emit) -> None:
        files = emitted('[istio]\ninternal_addresses = ["10.1.2.3", "2001:db8::/32"]\n')
        assert self.ranges(filters(files, self.NAME)[0]) == ["10.1.2.3/32", "2001:db8::/32"]

    def test_can_be_left_to_others(self, emitted: Emit) -> None:
        files = emitted("[istio]\ninternal_addresses = []\n")
        assert "istio/internal-addresses.yaml" not in files
        assert "internal-addresses" not in files["istio/one.yaml"]

    def test_are_not_needed_with_routes(self, emitted: Emit) -> None:
        assert "istio/internal-addresses.yaml" not in emitted("", "routes")

    def test_can_be_had_beside_routes(self, emitted: Emit) -> None:
        files = emitted('[istio]\ninternal_addresses = ["10.0.0.0/8"]\n', "routes")
        assert self.ranges(filters(files, self.NAME)[0]) == ["10.0.0.0/8"]

    def test_an_app_cannot_have_the_name_of_their_file(self) -> None:
        services = [service("a.A", app="internal-addresses")]
        message = r"^test.proto: app internal-addresses has the name of the file about the internal addresses"
        with pytest.raises(GenerationError, match=message):
            emit(services)
        assert emit(services, "routes")

    def ranges(self, envoy_filter: Resource) -> list[str]:
        found = patch(envoy_filter)["typed_config"]["internal_address_config"]["cidr_ranges"]
        return [f"{each['address_prefix']}/{each['prefix_len']}" for each in found]


class TestHealthChecks:
    def test_are_not_made_unless_asked_for(self) -> None:
        files = emit(SERVICES)
        assert filters(files, "one-health-checks") == filters(files, "one-health-check-filter") == []

    def test_by_all_that_may_call(self, emitted: Emit) -> None:
        files = emitted("[istio.apps.one]\nhealth_checks = true\n")
        found = filters(files, "one-health-checks")
        assert [each["metadata"].get("namespace") for each in found] == [None, "shop"]
        [check] = patch(found[0])["health_checks"]
        assert (check["interval"], check["no_traffic_interval"], check["timeout"]) == ("1s", "1s", "1s")

    def test_by_those_that_are_known_to_call(self, emitted: Emit) -> None:
        files = emitted(
            "[istio.apps.one]\nhealth_checks = { interval = 0.5, timeout = '200ms' }\n"
            "[apps.one]\ncalls = []\n[apps.two]\ncalls = []\n"
            '[apps.web]\nnamespace = "front"\ncalls = ["one"]\n'
        )
        [found] = filters(files, "one-health-checks")
        assert found["metadata"]["namespace"] == "front"
        assert found["spec"]["configPatches"][0]["match"]["cluster"] == {
            "service": "one.shop.svc.cluster.local"
        }
        [check] = patch(found)["health_checks"]
        assert (check["interval"], check["no_traffic_interval"], check["timeout"]) == (
            *("0.500s", "0.500s"),
            "0.200s",
        )

    def test_an_app_may_be_left_out(self, emitted: Emit) -> None:
        files = emitted("[istio]\nhealth_checks = true\n[istio.apps.two]\nhealth_checks = false\n")
        assert filters(files, "one-health-checks")
        assert not filters(files, "two-health-checks")


def outlier_detection(files: dict[str, str]) -> dict[str, Any]:
    """The outlier detection of each application that has one."""
    policies = {
        each["spec"]["host"]: each["spec"]["trafficPolicy"] for each in resources(files, "DestinationRule")
    }
    return {
        app: policy["outlierDetection"] for app, policy in policies.items() if "outlierDetection" in policy
    }


class TestOutlierDetection:
    def test_is_off_unless_asked_for(self) -> None:
        assert outlier_detection(emit(SERVICES)) == {}

    def test_by_default_concerns_half_of_the_pods(self, emitted: Emit) -> None:
        files = emitted("[istio.apps.two]\noutlier_detection = true\n")
        assert outlier_detection(files) == {"two": {"maxEjectionPercent": 50}}

    def test_of_all_apps(self, emitted: Emit) -> None:
        files = emitted(
            "[istio.outlier_detection]\nconsecutive_5xx_errors = 3\nconsecutive_gateway_errors = 2\n"
            'interval = "2m"\nbase_ejection_time = 90\nmax_ejection_percent = 70\nmin_health_percent = 0\n'
        )
        expected = {
            "consecutive5xxErrors": 3,
            "consecutiveGatewayErrors": 2,
            "interval": "2m",
            "baseEjectionTime": "1m30s",
            "maxEjectionPercent": 70,
            "minHealthPercent": 0,
        }
        assert outlier_detection(files) == {"one": expected, "two": expected}


def test_a_run_without_services_has_no_apps_to_name(tmp_path: Path) -> None:
    config = tmp_path / "mesh.toml"
    config.write_text("[istio.apps.one]\nhealth_checks = true\n", encoding="utf-8")
    with pytest.raises(GenerationError, match=r"apps with services \(this run has none\), not 'one'"):
        emit([], config=config)


def test_a_partial_config_may_name_apps_of_other_runs(emitted: Emit) -> None:
    text = "[istio.apps.three]\nhealth_checks = true\n"
    with pytest.raises(GenerationError, match=r"mesh.toml:1: istio.apps.three must be one of"):
        emitted(text)
    assert emitted(f"partial = true\n{text}") == emit(SERVICES)


class TestSidecars:
    def hosts(self, files: dict[str, str], app: str) -> list[str]:
        [sidecar] = (each for each in resources(files, "Sidecar") if each["metadata"]["name"] == app)
        assert sidecar["spec"]["workloadSelector"] == {"labels": {"app": app}}
        [egress] = sidecar["spec"]["egress"]
        found: list[str] = egress["hosts"]
        assert found[-1] == "istio-system/*"
        return found[:-1]

    def test_are_not_limited_unless_calls_are_known(self) -> None:
        assert resources(emit(SERVICES), "Sidecar") == []

    def test_know_what_their_app_calls(self, emitted: Emit) -> None:
        files = emitted(
            '[istio]\ncluster_domain = "example.org."\n[apps.one]\ncalls = ["db", "two.test"]\n'
            '[apps.two]\ncalls = ["one", "cache"]\n[apps.web]\nnamespace = "front"\ncalls = ["one"]\n'
        )
        same, other = "./db.shop.svc.example.org", "test/two.test.svc.example.org"
        assert self.hosts(files, "one") == [same, other]
        # Without a namespace of its own, the name of a service beside it cannot be written in full.
        assert self.hosts(files, "two") == ["./*", "shop/one.shop.svc.example.org"]
        assert self.hosts(files, "web") == ["shop/one.shop.svc.example.org"]

    def test_of_apps_that_call_nothing(self, emitted: Emit) -> None:
        assert self.hosts(emitted("[apps.one]\ncalls = []\n"), "one") == []


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("internal_address = []", r"2: unknown key istio.internal_address: must be one of apps, "),
        ("internal_addresses = '10.0.0.0/8'", r"2: istio.internal_addresses must be a list of strings"),
        ("internal_addresses = ['10.0.0.1/8']", r'2: .* must be ranges of IP addresses such as "10.0.0.0/8"'),
        ("internal_addresses = ['pods']", r"2: .* must be ranges of IP addresses .*'pods'"),
        ("internal_addresses = ['fe80::1%eth0']", r"2: .* must be ranges of IP addresses .*zones have no"),
        ("cluster_domain = 'a b'", r"2: istio.cluster_domain must be a DNS name"),
        ("health_checks = 'yes'", r"2: istio.health_checks must be true, false or a table, not 'yes'"),
        ("health_checks = { every = 1 }", r"2: unknown key istio.health_checks.every"),
        ("health_checks = { interval = 0 }", r"2: istio.health_checks.interval must be whole milliseconds"),
        ("health_checks = { timeout = '0.5ms' }", r"2: istio.health_checks.timeout must be whole milli"),
        ("outlier_detection = 5", r"2: istio.outlier_detection must be true, false or a table, not 5"),
        (
            "outlier_detection = { max_ejection_percent = 101 }",
            r"2: istio.outlier_detection.max_ejection_percent must be from 0 to 100, not 101",
        ),
        ("health_checks = { interval = inf }", r"2: istio.health_checks.interval must be a duration"),
        ("health_checks = { timeout = 1e300 }", r"2: istio.health_checks.timeout must be a duration"),
        ("health_checks = { timeout = '9999999999999999s' }", r"2: istio.health_checks.timeout must be a"),
        (
            "outlier_detection = { consecutive_5xx_errors = 4294967296 }",
            r"2: istio.outlier_detection.consecutive_5xx_errors must be from 0 to 4294967295, not 4294967296",
        ),
        ("apps.three.health_checks = true", r"2: istio.apps.three must be one of the apps with services \("),
        ("apps.one.cluster_domain = 'x'", r"2: unknown key istio.apps.one.cluster_domain"),
        ("apps.two.health_checks = true", r"2: health checks need the namespace of app two"),
        (
            "[apps.web]\nnamespace = 'x'\ncalls = ['two']",
            r"1: app web in namespace x calls two, which has no",
        ),
    ],
)
def test_mistakes(emitted: Emit, config: str, message: str) -> None:
    with pytest.raises(GenerationError, match=f"^.*mesh.toml:{message}"):
        emitted(config if config.startswith("[") else f"[istio]\n{config}\n")
