"""Worlds, rules as URLs, and files that are named after data ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from protoc_gen_dubbo_mesh.rules.model import ConditionRule, ConfiguratorRule
from protoc_gen_dubbo_mesh.rules.reading import rules, world

if TYPE_CHECKING:
    from pathlib import Path

    from protoc_gen_dubbo_mesh.rules.problems import Problem
    from protoc_gen_dubbo_mesh.rules.worlds import World


def _read(tmp_path: Path, text: str) -> tuple[World | None, list[str]]:
    file = tmp_path / "world.yaml"
    file.write_text(text)
    problems: list[Problem] = []
    found = world.read(str(file), problems)
    return found, [f"{each.where.line}: {each.message}" for each in problems]


def test_other_scalars_are_what_java_prints(tmp_path: Path) -> None:
    found, problems = _read(
        tmp_path,
        'instances: [{address: "[::1]:80", params: {gray: yes, size: +5, quoted: "yes"}}]\n'
        "requests: [{attachments: {vip: on}, arguments: [yes, 7, text]}]\n",
    )
    assert found is not None
    assert found.instances[0].params == {"gray": "true", "size": "5", "quoted": "yes"}
    assert (found.instances[0].host, found.instances[0].port) == ("[::1]", 80)
    assert found.requests[0].attachments == {"vip": "true"}
    assert found.requests[0].arguments == ("true", "7", "text")
    assert problems == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "1: not a world: expected a mapping with instances and requests"),
        ("- a\n", "1: not a world: expected a mapping with instances and requests"),
        ("instances: x\n", "1: instances must be a list, not text"),
        ("instances:\n- x\n", "2: each item of instances must be a mapping, not text"),
        ("instances:\n- {address: a}\n", "2: address must be HOST:PORT, not a"),
        ('instances:\n- {address: "a:70000"}\n', "2: address must be HOST:PORT, not a:70000"),
        ('instances:\n- {address: "::1:80"}\n', "2: an address of IPv6 needs brackets: [::1]:80"),
        ("instances:\n- {name: a}\n- {name: a}\n", "3: two instances are named a: rename one"),
        ("requests:\n- {name: a}\n- {name: a}\n", "3: two requests are named a: rename one"),
        (
            "requests:\n- {attachments: {a: [b]}}\n",
            "2: each value of attachments must be a single one, not a list",
        ),
    ],
)
def test_says_what_is_wrong(tmp_path: Path, text: str, expected: str) -> None:
    _, problems = _read(tmp_path, text)
    assert problems == [expected]


class TestUrls:
    URL = "condition://0.0.0.0/a.S?category=routers&rule=method%3Dplace+%3D%3E+zone%3Deast&priority=2"
    ENCODED = "override%3A%2F%2F10.0.0.1%3A20880%2Fa.S%3Ftimeout%3D100"

    @pytest.mark.parametrize("text", [f"- '{URL}'\n- '{ENCODED}'\n", f"{URL}\n{ENCODED}\n"])
    def test_a_list_and_lines(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "urls.txt").write_text(text)
        found = rules.read([str(tmp_path / "urls.txt")])
        assert found.problems == ()
        condition, override = found.rules
        assert isinstance(condition, ConditionRule)
        assert condition.conditions[0].text == "method=place => zone=east"
        assert isinstance(override, ConfiguratorRule)
        assert override.configs[0].addresses[0].text == "10.0.0.1:20880"
        assert [rule.header.where.line for rule in found.rules] == [1, 2]

    @pytest.mark.parametrize(
        ("url", "expected"),
        [
            ("empty://0.0.0.0/a?category=routers", "empty:// means that there are no rules"),
            ("script://0.0.0.0/a?rule=x", "a script is neither translated nor run"),
            ("route://0.0.0.0/a?router=script&rule=x", "a script is neither translated nor run"),
            ("http://a/", "must begin with condition, route, override or absent, not http://"),
            ("condition://0.0.0.0/a", "the URL has no parameter rule"),
            ("override://[::1/a", "not a URL of a rule"),
        ],
    )
    def test_others_are_refused(self, tmp_path: Path, url: str, expected: str) -> None:
        (tmp_path / "urls.yaml").write_text(f"- '{url}'\n")
        (problem,) = rules.read([str(tmp_path / "urls.yaml")]).problems
        assert expected in problem.message


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.S::.condition-router", "a.S"),
        ("a.S:1.0:g.condition-router.yaml", "g/a.S:1.0"),
        ("shop.condition-router.yml", "shop"),
        ("rule.yaml", None),
    ],
)
def test_a_rule_without_a_key_is_for_the_data_id(tmp_path: Path, name: str, expected: str | None) -> None:
    (tmp_path / name).write_text("conditions: ['=> zone=east']\n")
    (rule,) = rules.read([str(tmp_path / name)]).rules
    assert (rule.header.key.text if rule.header.key else None) == expected


def test_a_key_counts_more_than_the_name(tmp_path: Path) -> None:
    (tmp_path / "a.S.tag-router").write_text("key: shop\ntags: []\n")
    (rule,) = rules.read([str(tmp_path / "a.S.tag-router")]).rules
    assert rule.header.key is not None
    assert rule.header.key.text == "shop"
