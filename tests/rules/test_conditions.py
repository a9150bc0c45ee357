"""What condition rules mean to each version of Dubbo: small examples of where they differ, and of traps.

Dubbo's own routers gave these answers; tests/peers/check_rules.py compares many more with them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from protoc_gen_dubbo_mesh.rules.deciding import decide
from protoc_gen_dubbo_mesh.rules.dialects import DIALECTS
from protoc_gen_dubbo_mesh.rules.interpreting import interpret
from protoc_gen_dubbo_mesh.rules.reading import rules as rule_files
from protoc_gen_dubbo_mesh.rules.verdicts import Verdict
from protoc_gen_dubbo_mesh.rules.worlds import Consumer, Instance, Request, World

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from protoc_gen_dubbo_mesh.rules.model import Rule

JAVA = ("java-3.3", "java-3.2", "java-3.1", "java-2.7")
ALL = (*JAVA, "go-3.3")

EAST = Instance("east", "10.0.0.1", 20880, "orders", {"zone": "east", "level": "5"})
WEST = Instance("west", "10.0.0.2", 20880, "orders", {"zone": "west", "level": "50"})
BARE = Instance("bare", "10.0.0.3", 20881, "orders", {})
INSTANCES = (EAST, WEST, BARE)
EVERYBODY = "east west bare"

HEAD = "configVersion: v3.0\nscope: service\nkey: s\nforce: true\nenabled: true\n"


def request(
    method: str = "find",
    *,
    attachments: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
    arguments: tuple[object, ...] = (),
) -> Request:
    consumer = Consumer("web", "10.9.9.9", params or {})
    return Request("r", "s", method, None, None, consumer, attachments or {}, arguments)


class Judge:
    """Says what versions of Dubbo make of a rule."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def left(self, dialect: str, rule: str, asked: Request | None = None) -> str:
        """The instances that are left, separated by spaces."""
        (names,) = self.shares(dialect, rule, asked)
        return names

    def shares(self, dialect: str, rule: str, asked: Request | None = None) -> dict[str, float]:
        """What may be left, with its probability."""
        asked = asked or request()
        world = World("s", "orders", INSTANCES, (asked,))
        interpretation = interpret(self._read(rule), DIALECTS[dialect])
        decision = decide(interpretation, world, asked)
        return {" ".join(names): share for names, share in decision.shares.items()}

    def inactive(self, dialect: str, rule: str) -> list[str]:
        """What is said of the lines without an effect."""
        found = interpret(self._read(rule), DIALECTS[dialect]).remarks
        return [remark.why for remark in found if remark.verdict is Verdict.INACTIVE]

    def _read(self, rule: str) -> tuple[Rule, ...]:
        file = self._directory / "rule.yaml"
        file.write_text(rule, encoding="utf-8")
        return tuple(rule_files.read([str(file)]).rules)


@pytest.fixture
def judge(tmp_path: Path) -> Judge:
    return Judge(tmp_path)


def rule(*conditions: str, head: str = HEAD) -> str:
    return head + "conditions:\n" + "".join(f"  - '{each}'\n" for each in conditions)


class TestMatching:
    @pytest.mark.parametrize("dialect", ALL)
    @pytest.mark.parametrize(
        ("condition", "left"),
        [
            ("method=find => zone=east", "east"),
            ("method=f*d => zone=east", "east"),
            ("method=place => zone=east", EVERYBODY),
            ("METHOD=find => zone=east", EVERYBODY),
            ("method => zone=east", EVERYBODY),
            ("=> zone=east,west", "east west"),
            ("zone=west", "west"),
            ("=> zone=east & zone=west", "east west"),
            ("=> host=10.0.0.2", "west"),
            ("=> port=20881", "bare"),
            ("=> zone=east!=east", ""),
            ("application=web => false", ""),
            ("application!=web => false", EVERYBODY),
        ],
    )
    def test_is_the_same_in_all_versions(self, judge: Judge, dialect: str, condition: str, left: str) -> None:
        assert judge.left(dialect, rule(condition)) == left

    @pytest.mark.parametrize(
        ("dialect", "left"),
        [
            ("java-3.3", "west"),
            ("java-3.2", "west"),
            ("java-3.1", "west bare"),
            ("java-2.7", "west bare"),
            ("go-3.3", "west"),
        ],
    )
    def test_unequal_needs_the_parameter_since_3_2(self, judge: Judge, dialect: str, left: str) -> None:
        assert judge.left(dialect, rule("=> zone!=east")) == left

    @pytest.mark.parametrize("dialect", ALL)
    def test_conditions_of_a_rule_intersect(self, judge: Judge, dialect: str) -> None:
        assert judge.left(dialect, rule("=> zone=east,west", "method=find => zone=west")) == "west"

    def test_dollar_is_the_parameter_of_the_consumer(self, judge: Judge) -> None:
        asked = request(params={"zone": "west"})
        assert judge.left("java-3.3", rule("=> zone=$zone"), asked) == "west"

    def test_an_empty_value_is_absent_only_to_go(self, judge: Judge) -> None:
        asked = request(arguments=("",), attachments={"level": ""})
        for key in ("arguments[0]", "attachments[level]"):
            assert judge.left("java-3.3", rule(f"{key}!=x => zone=east"), asked) == "east"
            assert judge.left("go-3.3", rule(f"{key}!=x => zone=east"), asked) == EVERYBODY

    def test_an_attachment_with_a_dot_is_never_found(self, judge: Judge) -> None:
        asked = request(attachments={"a.b": "x"})
        assert judge.left("java-3.3", rule("attachments[a.b]=x => zone=east"), asked) == EVERYBODY
        assert judge.left("java-3.3", rule("attachments[a.b]!=x => zone=east"), asked) == "east"


class TestRanges:
    @pytest.mark.parametrize(
        ("condition", "java", "go"),
        [
            ("=> level=1~9", "east", "east"),
            ("=> level=~9", "east", "east"),
            ("=> level=9~", EVERYBODY, "west"),
            ("attachments[n]=1~9 => zone=east", "east", "east"),
            ("attachments[n]=1~ => zone=east", EVERYBODY, "east"),
            ("attachments[word]=0~9 => zone=east", "east", EVERYBODY),
        ],
    )
    def test_have_ends(self, judge: Judge, condition: str, java: str, go: str) -> None:
        asked = request(attachments={"n": "3", "word": "x"})
        # An instance without the parameter is never in a range.
        java, go = (left if "attach" in condition else left.replace(" bare", "") for left in (java, go))
        assert judge.left("java-3.3", rule(condition), asked) == java
        assert judge.left("java-3.2", rule(condition), asked) == java
        assert judge.left("go-3.3", rule(condition), asked) == go

    def test_are_text_before_3_2(self, judge: Judge) -> None:
        assert judge.left("java-3.1", rule("=> level=1~9")) == ""


class TestForce:
    NO_FORCE = HEAD.replace("force: true", "force: false")

    @pytest.mark.parametrize("dialect", JAVA)
    def test_without_it_java_skips_a_condition_that_leaves_none(self, judge: Judge, dialect: str) -> None:
        lines = rule("=> zone=east", "=> zone=north", head=self.NO_FORCE)
        assert judge.left(dialect, lines) == "east"

    @pytest.mark.parametrize("dialect", JAVA)
    def test_without_it_java_still_denies(self, judge: Judge, dialect: str) -> None:
        assert judge.left(dialect, rule("method=find =>", head=self.NO_FORCE)) == ""

    def test_counts_as_enabled_in_go(self, judge: Judge) -> None:
        lines = rule("=> zone=east", head=self.NO_FORCE)
        assert judge.left("go-3.3", lines) == EVERYBODY
        assert any("takes force for enabled" in why for why in judge.inactive("go-3.3", lines))

    def test_that_go_takes_from_enabled_skips_the_whole_rule(self, judge: Judge) -> None:
        head = HEAD.replace("enabled: true", "enabled: false")
        assert judge.left("go-3.3", rule("=> zone=east", "=> zone=north", head=head)) == EVERYBODY

    def test_that_go_takes_from_enabled_leaves_none_behind_a_rule_that_denies(self, tmp_path: Path) -> None:
        files = [tmp_path / "first.yaml", tmp_path / "second.yaml"]
        files[0].write_text(rule("=> zone=north"), encoding="utf-8")
        lines = rule("=> zone=east", head=HEAD.replace("enabled: true", "enabled: false"))
        files[1].write_text(lines, encoding="utf-8")
        found = interpret(rule_files.read([str(file) for file in files]).rules, DIALECTS["go-3.3"])
        decision = decide(found, World("s", "orders", INSTANCES, (request(),)), request())
        assert decision.shares == {(): 1.0}

    @pytest.mark.parametrize("dialect", JAVA)
    def test_switched_off_rules_are_skipped(self, judge: Judge, dialect: str) -> None:
        lines = rule("=> zone=east", head=HEAD.replace("enabled: true", "enabled: false"))
        assert judge.left(dialect, lines) == EVERYBODY
        assert set(judge.inactive(dialect, lines)) == {"skipped: enabled is false"}


class TestScalars:
    @pytest.mark.parametrize("force", ["yes", "on", "'true'", "'TRUE'", "True"])
    def test_true_is_what_java_takes_for_true(self, judge: Judge, force: str) -> None:
        head = HEAD.replace("force: true", f"force: {force}")
        assert judge.left("java-3.3", rule("=> zone=north", head=head)) == ""

    @pytest.mark.parametrize("force", ["1", "'yes'", "t", "null"])
    def test_other_words_are_false_to_java(self, judge: Judge, force: str) -> None:
        head = HEAD.replace("force: true", f"force: {force}")
        assert judge.left("java-3.3", rule("=> zone=north", head=head)) == EVERYBODY

    @pytest.mark.parametrize("line", ["configVersion: 3.0", "key: 5", "scope: yes", "priority: high"])
    def test_java_drops_rules_with_wrong_types(self, judge: Judge, line: str) -> None:
        name = line.partition(":")[0]
        head = "".join(f"{each}\n" for each in HEAD.splitlines() if not each.startswith(name)) + line + "\n"
        lines = rule("=> zone=east", head=head)
        assert judge.left("java-3.3", lines) == EVERYBODY
        assert judge.inactive("java-3.3", lines)

    @pytest.mark.parametrize("missing", ["force", "enabled"])
    def test_go_crashes_without_force_or_enabled(self, judge: Judge, missing: str) -> None:
        head = HEAD.replace(f"{missing}: true\n", "")
        assert any("crashes" in why for why in judge.inactive("go-3.3", rule("=> zone=east", head=head)))

    def test_go_needs_a_config_version(self, judge: Judge) -> None:
        head = HEAD.replace("configVersion: v3.0\n", "")
        assert judge.left("go-3.3", rule("=> zone=east", head=head)) == EVERYBODY
        assert judge.left("java-3.3", rule("=> zone=east", head=head)) == "east"


class TestErrors:
    @pytest.mark.parametrize("dialect", ALL)
    def test_one_bad_condition_drops_the_rule(self, judge: Judge, dialect: str) -> None:
        assert judge.left(dialect, rule("=> zone=east", "=a => b")) == EVERYBODY


class TestSharedConditions:
    HEAD = HEAD.replace("v3.0", "v3.1")

    def _rule(self, *weights: tuple[str, int], head: str = HEAD) -> str:
        to = "".join(f"      - {{match: zone={zone}, weight: {weight}}}\n" for zone, weight in weights)
        return f"{head}conditions:\n  - from: {{match: method=find}}\n" + (f"    to:\n{to}" if to else "")

    @pytest.mark.parametrize("dialect", ["java-3.3", "go-3.3"])
    @pytest.mark.parametrize(
        ("weights", "shares"),
        [
            ((("east", 1), ("west", 1)), {"east": 1.0}),
            ((("east", 1), ("west", 9)), {"east": 0.2, "west": 0.8}),
            ((("east", 90), ("west", 10)), {"east": 0.91, "west": 0.09}),
            ((("north", 90), ("west", 10)), {"west": 1.0}),
            ((("east", 0), ("west", 100)), {"east": 0.505, "west": 0.495}),
        ],
    )
    def test_draw_off_by_one(
        self, judge: Judge, dialect: str, weights: tuple[tuple[str, int], ...], shares: dict[str, float]
    ) -> None:
        assert judge.shares(dialect, self._rule(*weights)) == pytest.approx(shares)

    @pytest.mark.parametrize("dialect", ["java-3.3", "go-3.3"])
    def test_without_destinations_they_deny(self, judge: Judge, dialect: str) -> None:
        assert judge.left(dialect, self._rule()) == ""

    def test_a_later_version_is_unknown_to_java_only(self, judge: Judge) -> None:
        lines = self._rule(("east", 1), head=self.HEAD.replace("v3.1", "v3.2"))
        assert judge.left("java-3.3", lines) == EVERYBODY
        assert judge.left("go-3.3", lines) == "east"
