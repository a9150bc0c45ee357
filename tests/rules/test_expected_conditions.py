"""Condition rules of the cases become what is expected, line by line."""

from __future__ import annotations

from pathlib import Path

from tests.rules.recorded import convert

SERVICE = "/com.example.shop.OrderService"


class TestAMethod:
    def test_becomes_a_route_to_a_subset(self, tmp_path: Path) -> None:
        found = convert("method_to_subset", tmp_path)
        by_uri = {
            (kind, value): found.labels_of(route)
            for route in found.routes
            for match in route.get("match", ())
            for kind, value in match["uri"].items()
        }
        assert by_uri == {
            ("exact", f"{SERVICE}/placeOrder"): [{"zone": "east"}],
            ("prefix", f"{SERVICE}/find"): [{"zone": "west"}],
        }

    def test_leaves_all_others_to_a_last_route_without_a_subset(self, tmp_path: Path) -> None:
        last = convert("method_to_subset", tmp_path).routes[-1]
        assert "match" not in last
        assert [each["destination"] for each in last["route"]] == [{"host": "orders"}]

    def test_names_the_labels_that_pods_need(self, tmp_path: Path) -> None:
        assert convert("method_to_subset", tmp_path).document["labels"] == {
            "orders": {"zone": ["east", "west"]}
        }


class TestForceFalse:
    def test_prefers_pods_instead_of_demanding_them(self, tmp_path: Path) -> None:
        found = convert("force_false_fallback", tmp_path)
        (rule,) = found.of_kind("DestinationRule")
        preferred = {
            each["trafficPolicy"]["loadBalancer"]["localityLbSetting"]["failoverPriority"][0]: each
            for each in rule["spec"]["subsets"]
        }
        assert preferred.keys() == {"zone=north", "zone=east"}
        for each in preferred.values():
            assert "labels" not in each
            assert each["trafficPolicy"]["outlierDetection"]["maxEjectionPercent"] == 100

    def test_is_said_at_its_line_and_at_the_conditions(self, tmp_path: Path) -> None:
        found = convert("force_false_fallback", tmp_path)
        assert "force" in found.said(3)
        for line in (7, 8):
            assert found.verdict(line) == "approximate"
            assert "72" in found.said(line)


class TestADenial:
    def test_comes_before_every_other_route(self, tmp_path: Path) -> None:
        found = convert("deny_application", tmp_path)
        refused = [route for route in found.routes if "directResponse" in route]
        assert found.routes[: len(refused)] == refused
        assert {route["directResponse"]["status"] for route in refused} == {403}
        batch = next(route for route in refused if "batch-runner" in str(route["match"]))
        assert batch["match"][0]["uri"] == {"prefix": f"{SERVICE}/"}
        assert batch["match"][0]["headers"]["tri-consumer-appname"] == {"exact": "batch-runner"}

    def test_leaves_out_the_methods_that_may_be_called(self, tmp_path: Path) -> None:
        found = convert("deny_application", tmp_path)
        report = next(
            match
            for route in found.routes
            for match in route.get("match", ())
            if "report" in str(match) and "batch-runner" not in str(match)
        )
        assert report["withoutHeaders"] == {":path": {"exact": f"{SERVICE}/read"}}

    def test_is_said_to_hold_in_java_although_force_is_false(self, tmp_path: Path) -> None:
        found = convert("deny_application", tmp_path)
        for line in (7, 8):
            said = found.said(line)
            assert "force" in said
            assert "authorizationpolicy" in said
            assert "forge" in said or "header can be" in said

    def test_has_no_effect_in_go(self, tmp_path: Path) -> None:
        found = convert("deny_application", tmp_path, "--dubbo", "go-3.3")
        assert found.verdict(3) == "inactive"
        assert "takes force for enabled" in found.said(3)


class TestConditions:
    def test_intersect(self, tmp_path: Path) -> None:
        found = convert("conditions_intersect", tmp_path)
        by_match = [
            (
                match["uri"].get("exact", match["uri"].get("prefix")).removeprefix(f"{SERVICE}/"),
                "web" if "headers" in match else "",
                found.labels_of(route)[0] if "route" in route else "refused",
            )
            for route in found.routes[:-1]
            for match in route["match"]
        ]
        assert by_match.index(("place", "web", {"zone": "east", "lane": "public"})) < by_match.index(
            ("place", "", {"zone": "east"})
        )
        assert ("drop", "", {"zone": "west"}) in by_match
        assert by_match[-1] == ("", "web", {"lane": "public"})
        assert found.labels_of(found.routes[-1]) == [{}]

    def test_on_a_label_that_must_differ_cannot_be_translated(self, tmp_path: Path) -> None:
        found = convert("right_not_equals", tmp_path)
        assert found.status == 1
        assert found.verdict(7) == "cannot"
        said = found.said(7)
        assert "equal" in said
        assert "without" in said  # instances without the parameter, from 3.2 on
        assert "3.1" in said

    def test_have_globs_lists_and_addresses(self, tmp_path: Path) -> None:
        found = convert("lists_globs_hosts", tmp_path)
        for line in (7, 8, 9):
            assert found.verdict(line) == "cannot"
        assert "10.3.0.1" in found.said(7)
        assert "ipblocks" in found.said(8)
        assert "port" in found.said(9)

    def test_on_arguments_cannot_be_translated(self, tmp_path: Path) -> None:
        found = convert("arguments", tmp_path)
        assert [found.verdict(line) for line in (8, 9, 10)] == ["cannot", "cannot", "exact"]
        for line in (8, 9):
            assert "body" in found.said(line)
            assert "metadata" in found.said(line)
        uris = [match["uri"] for route in found.routes for match in route.get("match", ())]
        assert uris == [{"exact": f"{SERVICE}/save"}]

    def test_have_ranges(self, tmp_path: Path) -> None:
        found = convert("ranges", tmp_path)
        assert found.verdict(9) == "inactive"
        assert "never" in found.said(9)
        assert "counts a word as 0" in found.said(8)
        assert found.verdict(7) in {"exact", "approximate"}
        assert "level" in str(found.routes)


class TestTheScopeApplication:
    def test_names_the_provider(self, tmp_path: Path) -> None:
        found = convert("application_scope_provider", tmp_path)
        first = found.routes[0]
        assert first["match"][0]["uri"] == {"regex": "/[^/]+/echo"}
        assert found.labels_of(first) == [{"zone": "east", "lane": "public"}]
        assert found.labels_of(found.routes[-1]) == [{"lane": "public"}]
        assert "consumer" in found.said(5)  # until 3.1

    def test_names_the_consumer(self, tmp_path: Path) -> None:
        found = convert("application_scope_consumer", tmp_path)
        for line in (7, 8):
            assert found.verdict(line) == "cannot"
            assert "port" in found.said(line)
        assert "consumer" in found.said(5)


def test_a_key_with_group_and_version_becomes_headers(tmp_path: Path) -> None:
    found = convert("service_key_slash", tmp_path)
    (match,) = found.routes[0]["match"]
    assert match["uri"] == {"exact": f"{SERVICE}/place"}
    assert match["headers"] == {
        "tri-service-version": {"exact": "2.0.0"},
        "tri-service-group": {"exact": "blue"},
    }
    assert "data id" in found.said(5)
    assert "condition-router" in found.said(5)


def test_a_rule_that_is_disabled_becomes_nothing(tmp_path: Path) -> None:
    found = convert("disabled", tmp_path)
    assert found.resources == []
    assert found.status == 0
    assert "skipped: enabled is false" in found.said(4)


class TestGlobs:
    def test_have_one_wildcard_the_last(self, tmp_path: Path) -> None:
        found = convert("glob_corners", tmp_path)
        uris = [match["uri"] for route in found.routes for match in route.get("match", ())]
        assert {"prefix": f"{SERVICE}/a*b"} in uris
        assert any("regex" in uri and "x.*y" in uri["regex"] for uri in uris)

    def test_on_the_right_mean_that_the_parameter_exists(self, tmp_path: Path) -> None:
        found = convert("glob_corners", tmp_path)
        assert found.verdict(9) == "cannot"
        assert "whether there is one" in found.said(9)


def test_keys_in_the_wrong_case_are_named(tmp_path: Path) -> None:
    found = convert("java_style", tmp_path)
    assert "configversion" in found.said(1)
    assert found.verdict(1) == "inactive"
    assert found.verdict(2) == "inactive"
    assert found.verdict(7) in {"exact", "approximate"}
    assert found.verdict(8) == "cannot"
    assert ".name" in found.said(8)
    assert found.verdict(9) in {"inactive", "cannot"}
    assert found.verdict(10) == "inactive"


def test_crlf_a_byte_order_mark_and_letters_of_all_scripts_are_read(tmp_path: Path) -> None:
    found = convert("crlf_bom_unicode", tmp_path)
    assert found.verdict(7) == "exact"
    assert found.verdict(8) in {"cannot", "approximate"}
    assert "ascii" in found.said(8) or "percent" in found.said(8)
