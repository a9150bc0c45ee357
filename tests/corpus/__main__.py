"""`python -m tests.corpus [NAME…]`: what becomes of real protos, by our plugin and by grpc_python_out.

The exit status is 1 if our module fails for any file that protoc's own modules work for.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from pathlib import Path

from tests.corpus.generate import Compiled, compile_corpus
from tests.corpus.sources import CORPORA
from tests.corpus.verify import Outcomes, faults, make_site, shared_failures, unformatted, verify

CACHE = Path(__file__).parents[2] / ".cache" / "corpora"

HEADING = (
    "corpus",
    "files",
    "with services",
    "services",
    "rpcs",
    "compile",
    "import",
    "register",
    "Black",
    "s",
)
WIDTHS = (16, 6, 14, 9, 7, 13, 13, 13, 11, 6)


def line(cells: tuple[object, ...]) -> str:
    first, *rest = (str(cell) for cell in cells)
    return first.ljust(WIDTHS[0]) + "".join(
        cell.rjust(width) for cell, width in zip(rest, WIDTHS[1:], strict=True)
    )


def counts(compiled: Compiled, outcomes: Outcomes) -> list[str]:
    """`ours/grpc_python_out's` for each stage."""
    return [
        "/".join(
            str(sum(kinds[kind].passed(stage) for kinds in outcomes.values())) for kind in ("mesh", "grpc")
        )
        for stage in ("compile", "import", "register")
    ]


def grouped(failures: list[tuple[str, str]]) -> list[str]:
    """One line for each cause, with the first of the files and their number."""
    causes: dict[str, list[str]] = {}
    for file, cause in failures:
        causes.setdefault(cause.rpartition("\n")[2], []).append(file)
    return [
        f"{files[0]}{f' and {len(files) - 1} more' if len(files) > 1 else ''}: {cause}"
        for cause, files in causes.items()
    ]


def roots_of(refused: dict[str, str]) -> list[tuple[str, str]]:
    """What protoc refuses for its own sake, and the files that import those as failing for the same cause."""

    def cause(name: str) -> str:
        imported = re.match('Import "(.+)" was not found or had errors', refused[name])
        if imported is None:
            return refused[name]
        return cause(imported[1]) if imported[1] in refused else f"{imported[1]} is in no package"

    return [(name, cause(name)) for name in sorted(refused)]


def main() -> int:
    """Runs the corpora named on the command line, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.corpus", description=__doc__)
    parser.add_argument("corpus", nargs="*", help=", ".join(corpus.name for corpus in CORPORA))
    chosen = set(parser.parse_args().corpus)
    if unknown := chosen - {corpus.name for corpus in CORPORA}:
        parser.error(f"no such corpus: {', '.join(sorted(unknown))}")

    began = time.monotonic()
    site = make_site(CACHE / "site")
    totals = [0] * 4
    passed = failed = 0
    notes: list[str] = []
    print("compile, import, register: modules of protoc-gen-dubbo-mesh / of grpc_python_out\n")
    print(line(HEADING))
    for corpus in CORPORA:
        if chosen and corpus.name not in chosen:
            continue
        compiled = compile_corpus(corpus, CACHE)
        outcomes = verify(compiled, site)
        crooked = unformatted(compiled.directory, CACHE)
        services = [rpcs for file in compiled.services.values() for rpcs in file.values()]
        sizes = (len(compiled.services), len(outcomes), len(services), sum(map(len, services)))
        totals = [total + size for total, size in zip(totals, sizes, strict=True)]
        black = f"{len(outcomes) - len(crooked)}" if not compiled.error else "-"
        print(
            line((corpus.name, *sizes, *counts(compiled, outcomes), black, f"{compiled.seconds:.1f}")),
            flush=True,
        )
        ours = [*faults(outcomes, "mesh"), *((file, "Black would reformat it") for file in crooked)]
        ours += [(path, "another run gives it otherwise") for path in compiled.unstable]
        if compiled.error:
            ours.append((corpus.name, compiled.error.strip()))
        bad = {file for file, _ in ours}
        failed += len(bad)
        passed += len(outcomes.keys() - bad)
        notes += [f"{corpus.name}: FAULT {text}" for text in grouped(ours)]
        notes += [
            f"{corpus.name}: grpc_python_out fails, and ours does not, for {text}"
            for text in grouped(list(faults(outcomes, "grpc")))
        ]
        notes += [
            f"{corpus.name}: protoc's own _pb2 fails for {text}"
            for text in grouped(list(shared_failures(outcomes)))
        ]
        notes += [
            f"{corpus.name}: protoc does not accept {text}" for text in grouped(roots_of(compiled.refused))
        ]
    print(line(("all", *totals, "", "", "", "", "")))
    print()
    print("\n".join(notes))
    print(f"\n{passed} passed, {failed} failed\nin {time.monotonic() - began:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
