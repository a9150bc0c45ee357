"""Condition rules of v3.1 and mesh rules of the cases become what is expected, line by line."""

from __future__ import annotations

from pathlib import Path

from tests.rules.recorded import convert

SERVICE = "/com.example.shop.OrderService"


class TestWeights:
    def test_become_weights_of_destinations(self, tmp_path: Path) -> None:
        found = convert("v31_weights", tmp_path)
        first = found.routes[0]
        assert first["match"] == [{"uri": {"exact": f"{SERVICE}/place"}}]
        assert [each["weight"] for each in first["route"]] == [90, 10]
        assert found.labels_of(first) == [{"zone": "east"}, {"zone": "west"}]

    def test_of_destinations_without_pods_differ(self, tmp_path: Path) -> None:
        found = convert("v31_weights", tmp_path)
        assert found.verdict(7) == "approximate"
        assert "no pods" in found.said(7)

    def test_have_traps(self, tmp_path: Path) -> None:
        found = convert("v31_weight_traps", tmp_path)
        weights = {
            route["match"][0]["uri"]["exact"].removeprefix(f"{SERVICE}/"): [
                each["weight"] for each in route["route"]
            ]
            for route in found.routes[:-1]
        }
        assert weights["zero"] == [100, 10]
        assert weights["none"] in ([100, 100], [50, 50])
        assert weights["one"] == [1, 1]
        assert "2 parts of 2" in found.said(7)
        assert "counts as 100" in found.said(10)

    def test_of_the_design_that_was_dropped_are_named(self, tmp_path: Path) -> None:
        found = convert("v31_design_keys", tmp_path)
        for line, key in ((7, "priority"), (8, "trafficdisable"), (12, "force"), (13, "ratio")):
            (said,) = [
                each
                for each in found.document["statements"]
                if each["line"] == line and each["text"].lower() == key
            ]
            assert said["verdict"] == "inactive"
            assert "ignores" in said["remarks"][0]["why"]
        by_method = {
            match["uri"]["exact"].removeprefix(f"{SERVICE}/"): route
            for route in found.routes
            for match in route.get("match", ())
        }
        assert "directResponse" not in by_method["purge"]


class TestAMeshRule:
    def test_demands_all_of_its_matches(self, tmp_path: Path) -> None:
        found = convert("mesh_match_is_and", tmp_path)
        both = found.routes[0]
        (match,) = both["match"]
        assert match["uri"] == {"exact": f"{SERVICE}/place"}
        assert match["headers"] == {"lane": {"exact": "blue"}}
        assert found.labels_of(both) == [{"ver": "v2"}]

    def test_has_parts_that_nothing_evaluates(self, tmp_path: Path) -> None:
        found = convert("mesh_unconvertible", tmp_path)
        said = " ".join(str(each).lower() for each in found.document["statements"])
        assert "body" in said
        assert "argc" in said
        assert "every request" in said or "every call" in said or "all requests" in said
        assert any(
            match.get("sourceLabels") == {"team": "blue"}
            for route in found.routes
            for match in route.get("match", ())
        )
