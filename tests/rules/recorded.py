"""The cases: rules, worlds to try them in, and what Dubbo's own routers decided there.

cases/NAME/rule.yaml           the rules
cases/NAME/world.yaml          instances and requests
cases/NAME/dubbo-DIALECT.jsonl what Dubbo decided, a line for each request: `remaining`, or `distribution`
                               over many calls; `errors` is what Dubbo only logged
cases/NAME/expected/           what the commands print and write for the default dialect
"""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from protoc_gen_dubbo_mesh import cli

CASES = Path(__file__).parent / "cases"


class Answer(NamedTuple):
    """What a command did.

    Attributes:
        status: its exit status.
        out, err: what it printed.
    """

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Standard output as lines of JSON."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def document(self) -> dict[str, Any]:
        """Standard output as one document."""
        found: dict[str, Any] = json.loads(self.out)
        return found


def rules(*arguments: str, directory: Path) -> Answer:
    """Runs `protoc-gen-dubbo-mesh rules` in a directory."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(directory), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = cli.main(["rules", *arguments])
    return Answer(status, out.getvalue(), err.getvalue())


class Recording(NamedTuple):
    """What a version of Dubbo decided in a case."""

    case: str
    dialect: str

    def __str__(self) -> str:
        return f"{self.case}-{self.dialect}"

    @property
    def requests(self) -> list[dict[str, Any]]:
        """What was recorded of each request."""
        text = (CASES / self.case / f"dubbo-{self.dialect}.jsonl").read_text(encoding="utf-8")
        return [found for line in text.splitlines() if "request" in (found := json.loads(line))]


RECORDINGS = [
    Recording(path.parent.name, path.stem.removeprefix("dubbo-"))
    for path in sorted(CASES.glob("*/dubbo-*.jsonl"))
]
"""All recordings, by case and dialect."""

NAMES = sorted(path.name for path in CASES.iterdir())
"""The names of all cases."""


def has_world(case: str) -> bool:
    """Whether a case has a world."""
    return (CASES / case / "world.yaml").exists()


def recorded_shares(found: dict[str, Any]) -> dict[str, float]:
    """The share of each instance that was recorded for a request."""
    if "distribution" not in found:
        names = found["remaining"]
        return {name: 1 / len(names) for name in names}
    calls = sum(found["distribution"].values())
    shares: dict[str, float] = {}
    for outcome, number in found["distribution"].items():
        names = json.loads(outcome)
        for name in names:
            shares[name] = shares.get(name, 0.0) + number / calls / len(names)
    return shares


def shares(said: list[str] | dict[str, float]) -> dict[str, float]:
    """The share of each instance that `explain` says."""
    return said if isinstance(said, dict) else {name: 1 / len(said) for name in said}


class Conversion(NamedTuple):
    """What `convert --keep-going` did with a case.

    Attributes:
        status: its exit status.
        document: what it said, as JSON.
        resources: what it wrote: all documents of all files.
        err: standard error.
    """

    status: int
    document: dict[str, Any]
    resources: list[dict[str, Any]]
    err: str

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        """The resources of a kind."""
        return [each for each in self.resources if each["kind"] == kind]

    @property
    def routes(self) -> list[dict[str, Any]]:
        """The routes of the only VirtualService."""
        (found,) = self.of_kind("VirtualService")
        routes: list[dict[str, Any]] = found["spec"]["http"]
        return routes

    @property
    def subsets(self) -> dict[str, dict[str, str]]:
        """The labels of each subset of the only DestinationRule."""
        (found,) = self.of_kind("DestinationRule")
        return {each["name"]: each.get("labels", {}) for each in found["spec"].get("subsets", ())}

    def labels_of(self, route: dict[str, Any]) -> list[dict[str, str]]:
        """The labels of the pods that a route goes to, for each destination."""
        return [
            self.subsets[each["destination"]["subset"]] if "subset" in each["destination"] else {}
            for each in route["route"]
        ]

    def verdict(self, line: int) -> str:
        """The worst verdict on a line."""
        order = ["exact", "inactive", "approximate", "cannot"]
        found: list[str] = [each["verdict"] for each in self.document["statements"] if each["line"] == line]
        assert found, f"nothing is said of line {line}: {self.document['statements']}"
        return max(found, key=order.index)

    def said(self, line: int) -> str:
        """All that is said of a line, in lower case."""
        return "\n".join(
            " ".join(
                [each["text"], *(f"{remark['why']} {remark['advice']}" for remark in each["remarks"])]
            ).lower()
            for each in self.document["statements"]
            if each["line"] == line
        )


def convert(case: str, out: Path, *arguments: str) -> Conversion:
    """Runs `convert --keep-going` on a case."""
    hosts = (
        ("--world", "world.yaml") if has_world(case) else ("--app", "com.example.shop.OrderService=orders")
    )
    answer = rules(
        *("convert", "rule.yaml", *hosts, "--keep-going", "--json", *arguments, "-o", str(out)),
        directory=CASES / case,
    )
    resources = [
        document
        for path in (sorted(out.iterdir()) if out.exists() else ())
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))
        if document is not None
    ]
    return Conversion(answer.status, answer.document, resources, answer.err)
