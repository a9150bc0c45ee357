"""docs/findings.md is what the doctor's catalogue says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dubbo_mesh._doctor.catalogue import CATALOGUE
from dubbo_mesh._doctor.catalogue.problem import DOCS
from dubbo_mesh._doctor.report.explanation import AREAS
from tests.docs.test_guides import anchors

ROOT = Path(__file__).parents[2]
PAGE = ROOT / DOCS

UPDATE = "pytest tests/docs/test_findings.py --update-goldens"

HEAD = f"""\
# What the doctor finds

<!-- Written from the catalogue in runtime/dubbo_mesh/_doctor/catalogue by `{UPDATE}`. -->

All problems that [the doctor](doctor.md) knows, by their ids. An id never changes its meaning.
`dubbo-mesh explain DM301` shows the same in a terminal, and `dubbo-mesh explain` lists all.
[Troubleshooting](troubleshooting.md) goes by what you see.

An **error** is where calls fail or do not get what they ask for, a **warning** is where they may, and
**info** is what somebody may want to know.
"""

_CODE = re.compile(
    r"""
      (?<![\w./`]) (?:
          \[\w+\]                                        # [istio], a table of a config
        | /\w+(?:/\w+)*(?:\?[\w=&]+)? (?![\w./?])         # paths of the admin endpoint
        | \(dubbo_mesh\.v1\.\w+\)\.\w+                   # options of protos
        | \w+=dubbo_mesh\.\w+\(\.\.\.\)
        | --[a-z-]+
        | (?!DEADLINE_|NOT_|PERMISSION_|RESOURCE_|RST_)  # but statuses
          [A-Z]+(?:_[A-Z]+)+(?:=\w+)?                    # environment variables
        | [a-z]\w*_\w+ (?:\.\w+)* (?:\(\))?              # settings of Envoy
        | x-[a-z-]+
        | :authority
        | grpc-timeout
        | (?:[\w<>-]+/)+[\w<>-]+\.(?:yaml|proto|toml|md)
        | [a-z]+=[a-z-]+                                 # parameters of the plugin
        | aliases\ =\ \["lower-first"\]
      ) (?![\w`])
    """,
    re.VERBOSE,
)


def markdown(text: str) -> str:
    """A text of the catalogue, with the names in it marked as code."""
    coded = _CODE.sub(lambda name: f"`{name[0]}`", text)
    parts = re.split(r"(`[^`]*`)", coded)
    return "".join(part if part.startswith("`") else re.sub(r"([<*|])", r"\\\1", part) for part in parts)


def sentence(text: str) -> str:
    text = markdown(text)
    return text if text.startswith(("gRPC", "grpcurl")) else text[0].upper() + text[1:]


def page() -> str:
    parts = [HEAD]
    for prefix, area in AREAS.items():
        entries = {id: problem for id, problem in sorted(CATALOGUE.items()) if id.startswith(prefix)}
        parts.append(f"\n## {area}\n\n| id | severity | problem |\n| --- | --- | --- |\n")
        for id, problem in entries.items():
            parts.append(f"| [{id}](#{id.lower()}) | {problem.severity} | {markdown(problem.title)} |\n")
        for id, problem in entries.items():
            end = "" if problem.remedy.endswith("?") else "."
            parts.append(
                f"\n### {id}\n\n"
                f"**{sentence(problem.title)}** ({problem.severity}, check `{problem.check}`)\n\n"
                f"{sentence(problem.why)}\n\n*Remedy:* {markdown(problem.remedy)}{end}\n"
            )
    return "".join(parts)


def test_the_page_is_that_of_the_catalogue(request: pytest.FixtureRequest) -> None:
    expected = page()
    if request.config.getoption("--update-goldens"):
        PAGE.write_text(expected, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == expected, f"run {UPDATE}"


def test_each_id_has_its_anchor() -> None:
    assert {id.lower() for id in CATALOGUE} <= anchors(PAGE)


def test_each_problem_has_a_symptom() -> None:
    """The page by symptom ends in all ids but those that somebody may just want to know."""
    by_symptom = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    wrong = [id for id, problem in CATALOGUE.items() if problem.severity != "info"]
    assert [id for id in wrong if f"[{id}](findings.md#{id.lower()})" not in by_symptom] == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("set DUBBO_MESH_ADMIN to off", "set `DUBBO_MESH_ADMIN` to off"),
        ("or DUBBO_MESH_MODE=direct", "or `DUBBO_MESH_MODE=direct`"),
        ("give it an internal_address_config, or", "give it an `internal_address_config`, or"),
        ("in kubernetes/<app>/deployment.yaml", "in `kubernetes/<app>/deployment.yaml`"),
        ("with policy=routes, in [istio]", "with `policy=routes`, in `[istio]`"),
        (
            "save /config_dump and /clusters?format=json, if",
            "save `/config_dump` and `/clusters?format=json`, if",
        ),
        ("look at /etc/resolv.conf; and/or not", "look at /etc/resolv.conf; and/or not"),
        ("set (dubbo_mesh.v1.service).app, or", "set `(dubbo_mesh.v1.service).app`, or"),
        ("more than <app> | a*b", "more than \\<app> \\| a\\*b"),
        ("serve with dubbo_mesh.serve; see --timeout", "serve with `dubbo_mesh.serve`; see `--timeout`"),
    ],
)
def test_names_are_marked_as_code(text: str, shown: str) -> None:
    assert markdown(text) == shown
