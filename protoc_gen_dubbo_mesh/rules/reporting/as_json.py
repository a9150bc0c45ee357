"""What is said of rules as JSON. The keys are documented in docs/rules.md, and stable."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .statements import count

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..dialects import Dialect
    from ..problems import Problem
    from ..resources import HostFile
    from .statements import Statement

VERSION = 1
"""Of the document's format."""


def document(
    dialect: Dialect,
    statements: Sequence[Statement],
    problems: Iterable[Problem],
    files: Iterable[HostFile] = (),
    written: Iterable[str] = (),
) -> str:
    """One document, in ASCII, with a final newline.

    Args:
        dialect: the version of Dubbo that was assumed.
        statements: the lines.
        problems: errors in the files.
        files: what the rules become.
        written: the paths that were written.
    """
    content = {
        "version": VERSION,
        "dubbo": {"name": dialect.name, "release": dialect.release},
        "summary": {str(verdict): number for verdict, number in count(statements).items()},
        "statements": [_statement(each) for each in statements],
        "labels": {
            file.name: {key: list(values) for key, values in file.pod_labels}
            for file in files
            if file.pod_labels
        },
        "files": list(written),
        "problems": [
            {
                "file": each.where.file,
                "line": each.where.line,
                "column": each.where.column,
                "message": each.message,
            }
            for each in problems
        ],
    }
    return json.dumps(content, indent=2, allow_nan=False) + "\n"


def _statement(statement: Statement) -> dict[str, Any]:
    return {
        "file": statement.where.file,
        "line": statement.where.line,
        "column": statement.where.column,
        "text": statement.text,
        "verdict": str(statement.verdict),
        "remarks": [
            {"verdict": str(each.verdict), "why": each.why, "advice": each.advice}
            for each in statement.remarks
        ],
    }
