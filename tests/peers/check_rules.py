"""Our decisions are those of Dubbo's own routers, for random rules, worlds and requests.

Dubbo Java comes from Maven Central, dubbo-go from its module proxy; programs of theirs answer (dubbo/).
"""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from protoc_gen_dubbo_mesh.rules.deciding import decide
from protoc_gen_dubbo_mesh.rules.dialects import DIALECTS
from protoc_gen_dubbo_mesh.rules.interpreting import interpret
from protoc_gen_dubbo_mesh.rules.reading import rules as rule_files
from protoc_gen_dubbo_mesh.rules.reading import world as world_files
from tests.peers.dubbo.oracle import RELEASES, Answer, Oracle, missing
from tests.peers.random_rules import RandomRules

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_WORLDS = 1_500
"""Worlds of one rule or several; with two more kinds there are more than 10,000 requests for each version."""
_WORLDS_BY_CHANCE = 120
_RUNS = 400
"""How often a request is made whose outcome is drawn: shares may differ by five standard deviations."""
_SEED = 15


@pytest.fixture(scope="module", params=RELEASES)
def dialect(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    program = missing(name)
    if program is not None:
        pytest.skip(f"{name} is not compared: it needs {program}, which is not installed")
    return name


@pytest.fixture(scope="module")
def dubbo(dialect: str) -> Iterator[Oracle]:
    with Oracle(dialect) as oracle:
        yield oracle


class TestDecisions:
    def test_on_conditions_are_the_same(self, dialect: str, dubbo: Oracle, tmp_path: Path) -> None:
        rules = RandomRules(Random(_SEED))
        worlds = (
            rules.world([rules.conditions() for _ in range(number % 4 // 3 + 1)]) for number in range(_WORLDS)
        )
        assert _differences(dialect, dubbo, worlds, tmp_path) == []

    def test_on_tags_are_the_same(self, dialect: str, dubbo: Oracle, tmp_path: Path) -> None:
        rules = RandomRules(Random(_SEED))
        worlds = (
            rules.world(
                [rules.tags(), *([rules.conditions()] if number % 5 == 0 else [])],
                with_tags=True,
                applications=("orders",),
            )
            for number in range(_WORLDS // 3)
        )
        assert _differences(dialect, dubbo, worlds, tmp_path) == []

    def test_on_shares_are_the_same(self, dialect: str, dubbo: Oracle, tmp_path: Path) -> None:
        if not DIALECTS[dialect].has_shared_conditions:
            pytest.skip(f"{dialect} does not know conditions of v3.1")
        rules = RandomRules(Random(_SEED))
        worlds = (
            {**rules.world([rules.shared_conditions()]), "runs": _RUNS} for _ in range(_WORLDS_BY_CHANCE)
        )
        assert _differences(dialect, dubbo, worlds, tmp_path) == []

    def test_on_affinity_are_the_same(self, dialect: str, dubbo: Oracle, tmp_path: Path) -> None:
        rules = RandomRules(Random(_SEED))
        worlds = (rules.world([rules.affinity()]) for _ in range(_WORLDS_BY_CHANCE))
        assert _differences(dialect, dubbo, worlds, tmp_path) == []

    def test_on_meshes_are_the_same(self, dialect: str, dubbo: Oracle, tmp_path: Path) -> None:
        if not DIALECTS[dialect].has_mesh or DIALECTS[dialect].is_go:
            pytest.skip(f"{dialect} does not know mesh rules")
        rules = RandomRules(Random(_SEED))
        worlds = (
            {**rules.world([rules.mesh()], applications=("orders",)), "runs": _RUNS}
            for _ in range(_WORLDS_BY_CHANCE)
        )
        assert _differences(dialect, dubbo, worlds, tmp_path) == []


def _differences(dialect: str, dubbo: Oracle, worlds: Iterator[dict[str, Any]], directory: Path) -> list[Any]:
    """The requests that we decide otherwise than Dubbo, with their rules; at most three."""
    found: list[Any] = []
    for world in worlds:
        answers = dubbo.answers(world)
        ours = _decisions(dialect, world, directory)
        for request, answer, (shares, crash) in zip(world["requests"], answers, ours, strict=True):
            if _may_crash(answer, crash):
                continue
            if not _agree(answer.shares, shares, world.get("runs", 1)):
                found.append((world["rules"], world["instances"], request, shares, answer))
                if len(found) == 3:
                    return found
    return found


def _decisions(
    dialect: str, world: dict[str, Any], directory: Path
) -> list[tuple[Mapping[tuple[str, ...], float], str]]:
    known = ("service", "application", "instances", "requests")
    file = directory / "world.yaml"
    file.write_text(json.dumps({name: world[name] for name in known}), encoding="utf-8")
    paths = [directory / f"rule{number}.yaml" for number, _ in enumerate(world["rules"])]
    for path, rule in zip(paths, world["rules"], strict=True):
        path.write_text(rule, encoding="utf-8")
    read = world_files.read(str(file), [])
    assert read is not None
    interpretation = interpret(rule_files.read([str(path) for path in paths]).rules, DIALECTS[dialect])
    decisions = [decide(interpretation, read, request) for request in read.requests]
    return [(each.shares, each.error) for each in decisions]


def _may_crash(answer: Answer, crash: str) -> bool:
    """Whether dubbo-go crashes: for an argument that is missing only if it happens to look at it first."""
    return (
        (not answer.shares and bool(crash))
        or any("index out" in error for error in answer.errors)
        or ("no argument" in crash)
    )


def _agree(theirs: Mapping[tuple[str, ...], float], ours: Mapping[tuple[str, ...], float], runs: int) -> bool:
    for left in {*theirs, *ours}:
        share, seen = ours.get(left, 0.0), theirs.get(left, 0.0)
        if abs(share - seen) > 5 * (share * (1 - share) / runs) ** 0.5 + 1e-9:
            return False
    return True
