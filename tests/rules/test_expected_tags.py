"""Tag rules and affinity rules of the cases become what is expected, line by line."""

from __future__ import annotations

from pathlib import Path

from tests.rules.recorded import convert


class TestTags:
    def test_that_match_one_value_become_a_route_and_a_subset(self, tmp_path: Path) -> None:
        found = convert("tag_match", tmp_path)
        assert {"zone": "east"} in found.subsets.values()
        gray = next(
            route
            for route in found.routes
            for match in route.get("match", ())
            if match.get("headers", {}).get("dubbo.tag") == {"exact": "gray"}
        )
        assert found.labels_of(gray) == [{"zone": "east"}]

    def test_by_a_prefix_cannot_be_labels(self, tmp_path: Path) -> None:
        found = convert("tag_match", tmp_path)
        said = [each for each in found.document["statements"] if each["line"] in {9, 10, 11, 12}]
        assert "cannot" in {each["verdict"] for each in said}
        assert "prefix" in str(said)

    def test_are_kept_from_requests_without_a_tag_by_a_label_only(self, tmp_path: Path) -> None:
        found = convert("tag_match", tmp_path)
        assert found.status == 1
        said = str(found.document["statements"]).lower()
        assert "without a tag" in said
        assert "--untagged" in said
        assert "dubbo.force.tag" in said

    def test_are_kept_from_requests_without_a_tag_with_a_label(self, tmp_path: Path) -> None:
        found = convert("tag_match", tmp_path, "--untagged", "lane=base")
        assert found.labels_of(found.routes[-1]) == [{"lane": "base"}]
        assert found.document["labels"]["orders"]["lane"] == ["base"]

    def test_of_fixed_addresses_cannot_be_translated(self, tmp_path: Path) -> None:
        found = convert("tag_addresses", tmp_path)
        assert found.verdict(7) == "cannot"
        assert "address" in found.said(7)
        assert "label" in found.said(7)
        assert "no addresses" in found.said(9)

    def test_have_levels(self, tmp_path: Path) -> None:
        found = convert("static_tags_no_rule", tmp_path)
        assert "level" in found.said(5)
        said = str(found.document["statements"]).lower()
        assert "parameter" in said
        assert "sourcelabels" in said or "header" in said


class TestAffinity:
    def test_prefers_pods_near_the_caller(self, tmp_path: Path) -> None:
        found = convert("affinity", tmp_path, "--dubbo", "go-3.3")
        (rule,) = found.of_kind("DestinationRule")
        policy = rule["spec"]["trafficPolicy"]
        assert policy["loadBalancer"]["localityLbSetting"] == {"enabled": True, "failoverPriority": ["zone"]}
        assert policy["outlierDetection"]
        assert "ratio" in found.said(8)
        assert found.verdict(8) == "approximate"

    def test_has_no_effect_in_java(self, tmp_path: Path) -> None:
        found = convert("affinity", tmp_path)
        assert found.verdict(6) == "inactive"
        assert "dubbo-go" in found.said(6)
        assert found.resources == []


def test_a_script_is_never_run(tmp_path: Path) -> None:
    found = convert("script", tmp_path)
    assert found.resources == []
    said = str(found.document["statements"]).lower()
    assert "cannot" in said
    assert "engine" in said
