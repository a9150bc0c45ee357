"""Hostile files: reading returns, says where the problem is, and takes neither long nor much memory."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protoc_gen_dubbo_mesh.rules.reading import rules, world
from protoc_gen_dubbo_mesh.rules.reading.condition_text import ConditionError, sides
from protoc_gen_dubbo_mesh.rules.reading.tree import documents
from tests.rules.recorded import rules as command

if TYPE_CHECKING:
    from collections.abc import Callable

    from protoc_gen_dubbo_mesh.rules.problems import Problem

CONDITIONS = "configVersion: v3.0\nscope: service\nkey: a.S\nforce: true\nconditions:\n"


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str | bytes], rules.Rules]:
    def read(content: str | bytes) -> rules.Rules:
        file = tmp_path / "rule.yaml"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return rules.read([str(file)])

    return read


BROKEN: dict[str, tuple[str | bytes, str]] = {
    "brackets": ("[" * 1000, "1:51: nested more than 50 levels deep"),
    "braces": ("{a: " * 1000, "1:201: nested more than 50 levels deep"),
    "dashes": ("- " * 1000, "1:101: nested more than 50 levels deep"),
    "complex keys": ("? " * 1000, "1:101: nested more than 50 levels deep"),
    "a list as key": ("? [a]\n: 1\n", "1:3: a key must be a word"),
    "a bomb": (
        "a: &a [x, x]\n" + "".join(f"k{n}: &k{n} [{', '.join(['*a'] * 9)}]\n" for n in range(9)),
        "7:30: more than 50 aliases",
    ),
    "a bomb of <<": (
        "m0: &m0 {a: 1}\n" + "".join(f"m{n + 1}: &m{n + 1} {{<<: [*m{n}, *m{n}]}}\n" for n in range(24)),
        "14:12: << adds more than 10,000 entries",
    ),
    "<< of a number": ("<<: 3\n", "1:1: << must have a mapping"),
    "an alias to itself": ("a: &a\n  <<: *a\n", "2:7: the alias *a has no anchor before it"),
    "an object of Python": (
        "a: !!python/object/apply:os.system [x]\n",
        "1:4: the tag tag:yaml.org,2002:python/",
    ),
    "an object of Java": (
        "a: !!javax.script.ScriptEngineManager [x]\n",
        "1:4: the tag tag:yaml.org,2002:javax.",
    ),
    "UTF-16": (CONDITIONS.encode("utf-16"), "1:1: not UTF-8 but UTF-16"),
    "Latin-1": (b"a: 1\nb: \xe9\n", "2:4: not UTF-8"),
    "a null character": ("a: 1\nb: \0\n", "2:4: not YAML: unacceptable character #x0000"),
    "half a character": ('a: "\\ud800"\n', "1:4: an escape is half of a character"),
    "an escape out of range": ('a: 1\nb: "\\UFFFFFFFF"\n', "2:1: not YAML: a value behind this place"),
    "a long number": (
        f"priority: {'9' * 5000}\nconditions: []\n",
        "1:11: a number of more than 1,000 digits",
    ),
    "many documents": ("---\n" * 6000, "5001:1: more than 5,000 documents"),
    "a large file": ("a" * (4 * 2**20 + 1), "1:1: larger than 4 MiB"),
    "a tab": ("conditions:\n\t- a => b\n", "2:1: a tab cannot indent YAML"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_says_where_a_file_is_broken(read: Callable[[str | bytes], rules.Rules], name: str) -> None:
    content, expected = BROKEN[name]
    found = read(content)
    assert found.rules == ()
    (problem,) = found.problems
    assert f"rule.yaml:{expected}" in str(problem)


def test_stops_at_very_many_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("protoc_gen_dubbo_mesh.rules.reading.tree._MOST_NODES", 1000)
    found = documents(f"[{', '.join(['x'] * 1001)}]", "f")
    assert found.is_broken
    assert str(found.problems[0]) == "f:1:3002: more than 1,000 values: split the file"


def test_tells_the_first_problems_of_a_file(read: Callable[[str | bytes], rules.Rules]) -> None:
    found = read("a: 1\n" * 300)
    assert len(found.problems) == 101
    assert found.problems[-1].message.startswith("200 more problems")


def test_halves_of_a_character_are_joined() -> None:
    (tree,) = documents('"\\ud83d\\ude00"', "f").trees
    assert tree is not None
    assert tree[0] == "\N{GRINNING FACE}"


@pytest.mark.parametrize("text", ["=" * 100_000, "&!=," * 100_000, ("&" * 1000 + " ") * 300])
def test_conditions_take_linear_time(text: str) -> None:
    assert sides(text) == ((), ())


def test_only_the_blanks_of_java_separate() -> None:
    assert sides("a=x\N{NO-BREAK SPACE} => b=y")[0][0].equal == ("x\N{NO-BREAK SPACE}",)


class TestFiles:
    def test_directory(self, tmp_path: Path) -> None:
        (problem,) = rules.read([str(tmp_path)]).problems
        assert problem.message == "cannot be read: Is a directory"

    def test_missing(self, tmp_path: Path) -> None:
        (problem,) = rules.read([str(tmp_path / "none.yaml")]).problems
        assert problem.message == "cannot be read: No such file or directory"

    def test_loop_of_links(self, tmp_path: Path) -> None:
        (tmp_path / "a").symlink_to("a")
        (problem,) = rules.read([str(tmp_path / "a")]).problems
        assert problem.message == "cannot be read: Too many levels of symbolic links"

    def test_null_character_in_the_name(self) -> None:
        (problem,) = rules.read(["a\0b"]).problems
        assert problem.message == "cannot be read: embedded null byte"

    @pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs /dev/zero")
    def test_endless(self) -> None:
        (problem,) = rules.read(["/dev/zero"]).problems
        assert "larger than 4 MiB" in problem.message

    def test_newline_and_undecodable_byte_in_the_name(self, tmp_path: Path) -> None:
        name = os.fsdecode(b"a\n\xff.yaml")
        (tmp_path / name).write_text("[")
        found = command("check", name, directory=tmp_path)
        assert found.status == 2
        assert r"a\n\udcff.yaml:1:2: not YAML" in found.err


def _in_file(problems: tuple[Problem, ...], text: str) -> bool:
    lines = text.count("\n") + text.count("\r") + text.count("\x85") + text.count("\u2028") + 2
    return all(0 < problem.where.line <= lines and problem.where.column > 0 for problem in problems)


KEYS = st.sampled_from(
    [
        *(
            "configVersion",
            "scope",
            "key",
            "force",
            "enabled",
            "priority",
            "conditions",
            "from",
            "to",
            "match",
        ),
        *("weight", "tags", "name", "addresses", "value", "exact", "configs", "side", "parameters", "param"),
        *(
            "affinityAware",
            "ratio",
            "script",
            "type",
            "kind",
            "apiVersion",
            "spec",
            "metadata",
            "items",
            "dubbo",
        ),
        *("services", "routedetail", "route", "destination", "fallback", "subsets", "labels", "attachments"),
        *("service", "application", "instances", "requests", "address", "params", "consumer", "arguments"),
    ]
)
SCALARS = st.sampled_from(
    [
        *(
            "",
            "~",
            "1",
            "-1",
            "0x1F",
            "010",
            "yes",
            "no",
            "true",
            "1.5",
            "v3.0",
            "v3.1",
            "List",
            "'a=b => c=d'",
        ),
        *("condition://0.0.0.0/a?rule=a", "override://[::1]/a?b=c", "VirtualService", "DestinationRule"),
        *("service.dubbo.apache.org/v1alpha1", "ConditionRoute", "TagRoute", "a", '"*"', '"=&="', "1:2"),
    ]
)
TREES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda each: f"[{', '.join(each)}]")
        | st.dictionaries(KEYS, inner, max_size=4).map(
            lambda each: f"{{{', '.join(f'{key}: {value}' for key, value in each.items())}}}"
        )
    ),
    max_leaves=15,
)


@given(TREES)
def test_any_shape_is_read(read_text: Callable[[str], None], text: str) -> None:
    read_text(text)


@settings(max_examples=50)
@given(st.text() | st.binary().map(lambda data: data.decode("latin-1")))
def test_any_text_is_read(read_text: Callable[[str], None], text: str) -> None:
    read_text(text)


@given(st.text(alphabet="ab=!&,~*.[]$ >=\t\N{IDEOGRAPHIC SPACE}\N{SUPERSCRIPT TWO}0123456789"))
def test_any_condition_is_read(text: str) -> None:
    with contextlib.suppress(ConditionError):
        sides(text)


@pytest.fixture(scope="module")
def read_text(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], None]:
    file = tmp_path_factory.mktemp("hostile") / "rule.yaml"

    def read_text(text: str) -> None:
        file.write_bytes(text.encode("utf-8", "surrogatepass"))
        found = rules.read([str(file)])
        assert _in_file(found.problems, text)
        assert found.rules or found.problems
        problems: list[Problem] = []
        assert world.read(str(file), problems) or problems
        assert _in_file(tuple(problems), text)

    return read_text


@pytest.mark.parametrize("priority", ["high", "2147483648", "1.5", "9" * 900])
def test_priorities_are_integers_of_java(read: Callable[[str | bytes], rules.Rules], priority: str) -> None:
    (problem,) = read(f"priority: {priority}\nconditions: []\n").problems
    assert problem.message == f"priority is not an integer: {priority[:50]}: Java drops the rule"


def test_a_rule_for_nobody_knows_whom(tmp_path: Path) -> None:
    (tmp_path / "rule.yaml").write_text("configVersion: v3.0\nconditions: ['=> zone=east']\n")
    found = command("check", "rule.yaml", directory=tmp_path)
    assert found.status == 1
    assert "the rule has no key" in found.out
    assert "None" not in found.out


@pytest.mark.parametrize(
    "condition",
    [
        f"  - 'arguments[{('9' * 900 + 'consumer.') * 6}]=a => zone=east'\n",
        f"  - 'level={('9' * 900 + 'consumer.') * 6}~3 => zone=east'\n",
    ],
)
def test_long_numbers_are_not_put_together(tmp_path: Path, condition: str) -> None:
    (tmp_path / "rule.yaml").write_text(CONDITIONS + condition)
    found = command("check", "rule.yaml", directory=tmp_path)
    assert "more than 1,000 digits" in " ".join(found.out.split())


def test_long_numbers_are_not_decoded(read: Callable[[str | bytes], rules.Rules]) -> None:
    (problem,) = read(f"- override://0.0.0.0/a?timeout={'%39' * 5000}\n").problems
    assert problem.message == "the URL has a number of more than 1,000 digits: shorten it"
