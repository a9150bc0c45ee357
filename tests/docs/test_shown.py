"""YAML in guides is what is emitted.

A comment above a fence names the file in golden/, and the kind of resource if the fence shows only that one:

<!-- golden/set_up_routes/expected/istio/greeter.yaml VirtualService -->
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUIDES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

UPDATE = "pytest tests/docs/test_shown.py --update-goldens"
_SHOWN = re.compile(
    r"(?P<before><!-- (?P<path>golden/\S+)(?: (?P<kind>[A-Za-z]+))? -->\n\n?```\w+\n)(?P<body>.*?)(?=^```$)",
    re.MULTILINE | re.DOTALL,
)


def shown(path: str, kind: str | None) -> str:
    """A file of golden/, or the first of its resources that is of a kind, with its comments."""
    text = (ROOT / path).read_text(encoding="utf-8")
    if kind is None:
        return text
    documents = re.split(r"^---\n", text, flags=re.MULTILINE)
    return next(document for document in documents if f"\nkind: {kind}\n" in document)


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.name)
def test_yaml_of_guides_is_what_is_emitted(guide: Path, request: pytest.FixtureRequest) -> None:
    text = guide.read_text(encoding="utf-8")
    expected = _SHOWN.sub(lambda fence: fence["before"] + shown(fence["path"], fence["kind"]), text)
    if request.config.getoption("--update-goldens"):
        guide.write_text(expected, encoding="utf-8")
    else:
        assert text == expected, f"if this is right: {UPDATE}"


def test_each_golden_that_is_named_is_shown() -> None:
    """A comment that does not stand above a fence would be checked by nobody."""
    for guide in GUIDES:
        text = guide.read_text(encoding="utf-8")
        assert text.count("<!-- golden/") == len(_SHOWN.findall(text)), guide.name
