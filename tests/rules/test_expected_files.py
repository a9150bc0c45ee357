"""Files of the cases that are not as they should be, and forms of rules other than Dubbo's plain ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rules.recorded import CASES, convert, rules

_HOSTS = ("--app", "com.example.shop.OrderService=orders")


def problems(case: str, tmp_path: Path) -> list[tuple[int, str]]:
    """The lines and messages of problems, after checking that nothing is written."""
    found = rules(
        "convert", "rule.yaml", *_HOSTS, "--json", "-o", str(tmp_path / "out"), directory=CASES / case
    )
    assert found.status == 2
    assert not (tmp_path / "out").exists()
    for each in found.document["problems"]:
        assert f"{each['file']}:{each['line']}:{each['column']}: {each['message']}" in found.err
    return [(each["line"], each["message"]) for each in found.document["problems"]]


def test_a_tab(tmp_path: Path) -> None:
    (found,) = problems("tab", tmp_path)
    assert found[0] == 6
    assert "a tab cannot indent YAML" in found[1]


def test_duplicate_keys(tmp_path: Path) -> None:
    found = problems("duplicate_keys", tmp_path)
    assert [line for line, _ in found] == [5, 8]
    for (_, message), key in zip(found, ("force", "conditions"), strict=True):
        assert f"duplicate key {key}" in message.replace("`", "")
        assert "last" in message


def test_wrong_types(tmp_path: Path) -> None:
    found = dict(problems("types", tmp_path))
    assert "v3.1" in found[1]
    assert "number" in found[1]
    assert "key" in found[3]
    assert "priority" in found[4]
    assert "integer" in found[4]
    assert "false" in found[5]


def test_booleans_of_yaml_1_1(tmp_path: Path) -> None:
    found = problems("norway", tmp_path)
    tag = next(message for line, message in found if line == 6)
    assert "boolean" in tag
    assert "quote" in tag


def test_a_bomb(tmp_path: Path) -> None:
    (found,) = problems("anchors_and_bomb", tmp_path)
    assert "aliases" in found[1]


@pytest.mark.parametrize(
    "text",
    [
        "just some text\n",
        "",
        "- 1\n- 2\n",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: orders}\n",
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nspec: {hosts: [orders]}\n",
    ],
)
def test_what_is_no_rule(text: str, tmp_path: Path) -> None:
    (tmp_path / "rule.yaml").write_text(text)
    for command in (("check",), ("convert", *_HOSTS, "-o", "out"), ("explain", "--method", "place")):
        found = rules(*command, "rule.yaml", directory=tmp_path)
        assert found.status == 2
        assert "rule.yaml:1" in found.err
        assert "not a Dubbo rule: expected a mapping with conditions" in found.err
    assert not (tmp_path / "out").exists()


def test_kubernetes_resources_are_the_rules_inside(tmp_path: Path) -> None:
    found = convert("kubernetes_crds", tmp_path)
    assert {each["metadata"].get("namespace") for each in found.resources} == {"shop"}
    (first,) = [
        route
        for route in found.routes
        if any(
            match == {"uri": {"exact": "/com.example.shop.OrderService/place"}}
            for match in route.get("match", ())
        )
    ]
    assert found.labels_of(first) == [{"zone": "east"}]
    assert first["timeout"]


def test_urls_of_old_are_read_or_said_not_to_be(tmp_path: Path) -> None:
    found = convert("legacy_urls", tmp_path)
    if found.status == 2:
        assert "URL" in found.document["problems"][0]["message"]
        return
    said = [found.said(line) for line in (1, 2, 3, 4)]
    assert "priority" in " ".join(said)
    assert found.verdict(4) == "cannot"
    refused = [route for route in found.routes if "directResponse" in route]
    assert "cron" in str(refused)


def test_thousands_of_conditions_become_as_many_routes(tmp_path: Path) -> None:
    lines = "".join(f"  - method=m{number} => zone=z{number % 7}\n" for number in range(5_000))
    key = "scope: service\nforce: true\nkey: com.example.shop.OrderService\nconditions:\n"
    (tmp_path / "rule.yaml").write_text(key + lines)
    found = rules("convert", "rule.yaml", *_HOSTS, "--json", "-o", "out", directory=tmp_path)
    assert found.status == 0
    text = (tmp_path / "out/orders.yaml").read_text()
    assert text.count("- uri:") == 5_000
    assert text.count("      labels:\n") == 7
    said = next(each for each in found.document["statements"] if each["line"] == 3)
    assert "in order" in str(said["remarks"])


def test_tags_of_programs_are_refused(tmp_path: Path) -> None:
    (tmp_path / "rule.yaml").write_text("key: !!python/object:os.system x\nconditions: []\n")
    found = rules("check", "rule.yaml", directory=tmp_path)
    assert found.status == 2
    assert "rule.yaml:1:6: the tag" in found.err
