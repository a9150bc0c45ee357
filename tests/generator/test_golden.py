"""The generator writes exactly the files, the error and the warnings of each case in golden/."""

from __future__ import annotations

import difflib
from typing import NoReturn

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from protoc_gen_dubbo_mesh.python import layout
from tests.generator.compiling import Generated
from tests.generator.goldens import CASES, GENERATED, WITH_MODULES, Case

UPDATE = "pytest tests/generator/test_golden.py --update-goldens"


def difference(expected: dict[str, str], actual: dict[str, str]) -> str:
    """A unified diff of all files; empty if they are the same."""
    lines: list[str] = []
    for name in sorted(expected.keys() | actual.keys()):
        before, after = expected.get(name), actual.get(name)
        if before == after:
            continue
        if before is None or after is None:
            lines.append(f"{name}: {'not expected' if before is None else 'missing'}\n")
        lines += difflib.unified_diff(
            (before or "").splitlines(keepends=True),
            (after or "").splitlines(keepends=True),
            f"golden/{name}",
            f"generated/{name}",
        )
    return "".join(lines)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_golden(case: Case, request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--update-goldens"):
        case.update()
    found = difference(case.expected(), case.actual())
    assert not found, f"{found}\nif this is right: {UPDATE}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_is_an_error_exactly_if_its_name_says_so(case: Case) -> None:
    expected = case.expected()
    assert ("error.txt" in expected) == case.is_error
    assert case.is_error != any(name.startswith("expected/") for name in expected)
    if case.is_error:
        assert expected["error.txt"].count("\n") == 1


@pytest.mark.parametrize("case", GENERATED, ids=lambda case: case.name)
def test_any_order_of_files_gives_the_same(case: Case) -> None:
    """What is written for an application comes from several files, and is written once."""
    expected = case.generate()
    for protos in orders(case.protos):
        for files in (case.descriptors, backwards(case.descriptors)):
            got = case.generate(protos, files)
            assert got.files == expected.files
            assert sorted(got.warnings) == sorted(expected.warnings)


def orders(protos: list[str]) -> list[list[str]]:
    """Orders of protos: as they are, backwards, and with each third one first."""
    every_third_first = [*protos[::3], *protos[1::3], *protos[2::3]]
    found = [protos]
    found += [order for order in (protos[::-1], every_third_first) if order not in found]
    return found


def backwards(files: FileDescriptorSet) -> FileDescriptorSet:
    return FileDescriptorSet(file=reversed(files.file))


def modules(generated: Generated) -> dict[str, str]:
    return {name: content for name, content in generated.files.items() if name.endswith(".py")}


@pytest.mark.parametrize("case", WITH_MODULES, ids=lambda case: case.name)
def test_one_file_at_a_time_gives_the_same_modules(case: Case) -> None:
    """As with buf's `strategy: directory`; a config then says `partial = true`."""
    all_at_once = modules(case.generate())
    one_by_one: dict[str, str] = {}
    for proto in reversed(case.protos):
        one_by_one |= modules(case.generate([proto]))
    assert one_by_one == all_at_once


@pytest.mark.parametrize("case", WITH_MODULES, ids=lambda case: case.name)
def test_black_alone_gives_the_same(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make everywhere` tries this with the oldest and the newest Black that pyproject.toml admits."""

    def unsure(*_: object) -> NoReturn:
        raise layout.UnsureError

    by_rules = modules(case.generate())
    monkeypatch.setattr(layout, "fit", unsure)
    monkeypatch.setattr(layout, "line", unsure)
    assert not difference(by_rules, modules(case.generate()))


def test_differences_name_missing_and_extra_files() -> None:
    shown = difference({"a": "1\n", "gone": "x\n"}, {"a": "2\n", "new": "y\n"})
    assert "-1\n+2\n" in shown
    assert "gone: missing" in shown
    assert "new: not expected" in shown
