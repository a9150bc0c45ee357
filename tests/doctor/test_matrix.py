"""Each problem that the doctor knows has a test that shows it: MATRIX.md lists them."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from dubbo_mesh._doctor.catalogue import CATALOGUE
from dubbo_mesh._doctor.catalogue.problem import Check, Severity
from dubbo_mesh._doctor.report.explanation import AREAS
from tests.doctor.marks import Mark, all_marks, marks_in

MATRIX = Path(__file__).with_name("MATRIX.md")

UPDATE = "pytest tests/doctor/test_matrix.py --update-goldens"

WITHOUT_TEST: set[str] = set()
"""Problems that no test shows yet."""

_HEAD = f"""\
# The doctor's problems, and the tests that show them

Read from the marks `@pytest.mark.finds(…)` in the tests. To update: `{UPDATE}`

| id | | problem | tests |
| --- | --- | --- | --- |
"""


@pytest.fixture(scope="module")
def marks() -> list[Mark]:
    return list(all_marks())


def matrix(marks: list[Mark]) -> str:
    rows: list[str] = []
    for id, problem in sorted(CATALOGUE.items()):
        tests = dict.fromkeys(mark.test for mark in marks if mark.id == id)
        named = "<br>".join(f"`{each.removeprefix('tests/')}`" for each in tests)
        rows.append(f"| {id} | {problem.severity} | {problem.title} | {named} |\n")
    return _HEAD + "".join(rows)


def test_each_problem_has_a_test(marks: list[Mark]) -> None:
    """One that `make test` runs: those in tests/istio come on top."""
    assert set(CATALOGUE) - {mark.id for mark in marks if mark.test.startswith("tests/doctor/")} == set()


def test_each_mark_names_a_problem(marks: list[Mark]) -> None:
    assert [mark for mark in marks if mark.id not in CATALOGUE] == []


def test_the_matrix_is_up_to_date(marks: list[Mark], request: pytest.FixtureRequest) -> None:
    expected = matrix(marks)
    if request.config.getoption("--update-goldens"):
        MATRIX.write_text(expected, encoding="utf-8")
    assert MATRIX.read_text(encoding="utf-8") == expected, f"run {UPDATE}"


@pytest.mark.parametrize(("id", "problem"), CATALOGUE.items(), ids=list(CATALOGUE))
def test_each_entry_of_the_catalogue_is_complete(id: str, problem: tuple[str, ...]) -> None:
    check, severity, title, why, remedy = problem
    assert id[:3] in AREAS
    assert len(id) == 5
    assert id[2:].isdecimal()
    assert check in get_args(Check)
    assert severity in get_args(Severity)
    assert title[0] == title[0].lower() or title.startswith("DUBBO_MESH_")
    assert not title.endswith(".")
    assert why.endswith(".")
    assert remedy
    assert not remedy.endswith(".")
    for text in (title, why, remedy):
        assert text == text.strip()
        assert text.isprintable()
        assert len(text) < 400


def test_marks_are_found_wherever_they_stand() -> None:
    source = """
@pytest.mark.finds("DM101")
class TestIt:
    @pytest.mark.finds("DM102")
    @pytest.mark.parametrize("x", [1, pytest.param(2, marks=pytest.mark.finds("DM103"))])
    def test_it(self): ...

if True:
    @pytest.mark.finds("DM104")
    async def test_other(): ...
"""
    assert [(mark.id, mark.test) for mark in marks_in(source, "t.py")] == [
        ("DM101", "t.py::TestIt"),
        ("DM102", "t.py::TestIt::test_it"),
        ("DM103", "t.py::TestIt::test_it"),
        ("DM104", "t.py::test_other"),
    ]


def test_marks_of_a_table_are_those_of_all_that_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "faults.py").write_text("FAULTS: list[Fault] = [Fault('DM101', 'x'), Fault(id='DM102')]")
    source = """
from faults import FAULTS

@pytest.mark.parametrize("x", [pytest.param(each, marks=pytest.mark.finds(each.id)) for each in FAULTS])
def test_it(): ...
"""
    assert [mark.id for mark in marks_in(source, "t.py", tmp_path)] == ["DM101", "DM102"]


@pytest.mark.parametrize("arguments", ["ID", "'DM101', 'DM102'", ""])
def test_a_mark_that_cannot_be_read_is_an_error(arguments: str) -> None:
    with pytest.raises(ValueError, match="line 1: the mark `finds` takes one id"):
        list(marks_in(f"@pytest.mark.finds({arguments})\ndef test_it(): ...", "t.py"))
