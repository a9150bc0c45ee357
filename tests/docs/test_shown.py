"""YAML in guides is what is emitted.

A comment above a fence names the file in golden/. If the fence shows only a part of it, the kind of a
resource follows, or a key: what is below that, where it stands first. `#` stands for the comment at the top.

<!-- golden/set_up_routes/expected/istio/greeter.yaml VirtualService -->
<!-- golden/set_up_envoy/expected/envoy/laptop/web-1.yaml health_checks -->
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUIDES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

UPDATE = "pytest tests/docs/test_shown.py --update-goldens"
_SHOWN = re.compile(
    r"(?P<before><!-- (?P<path>golden/\S+)(?: (?P<part>\w+|#))? -->\n\n?```\w+\n)(?P<body>.*?)(?=^```$)",
    re.MULTILINE | re.DOTALL,
)


def shown(path: str, part: str | None) -> str:
    """A file of golden/, or a part of it: its first resource of a kind, with comments, or what a key has."""
    text = (ROOT / path).read_text(encoding="utf-8")
    if part is None:
        return text
    if part == "#":
        return "".join(re.findall(r"^#.*\n", text, re.MULTILINE))
    if part.islower():
        block = re.search(rf"^( *){part}:\n(?:\1[ ].*\n)+", text, re.MULTILINE)
        assert block is not None, f"{path} has no {part}"
        return textwrap.dedent(block[0])
    documents = re.split(r"^---\n", text, flags=re.MULTILINE)
    return next(document for document in documents if f"\nkind: {part}\n" in document)


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.name)
def test_yaml_of_guides_is_what_is_emitted(guide: Path, request: pytest.FixtureRequest) -> None:
    text = guide.read_text(encoding="utf-8")
    expected = _SHOWN.sub(lambda fence: fence["before"] + shown(fence["path"], fence["part"]), text)
    if request.config.getoption("--update-goldens"):
        guide.write_text(expected, encoding="utf-8")
    else:
        assert text == expected, f"if this is right: {UPDATE}"


def test_each_golden_that_is_named_is_shown() -> None:
    """A comment that does not stand above a fence would be checked by nobody."""
    for guide in GUIDES:
        text = guide.read_text(encoding="utf-8")
        assert text.count("<!-- golden/") == len(_SHOWN.findall(text)), guide.name
