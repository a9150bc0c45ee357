"""Python reads back exactly the text that was put into its source, and Black would change nothing."""

from __future__ import annotations

import ast

import black
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from protoc_gen_dubbo_mesh.protoc.source_info import clean
from protoc_gen_dubbo_mesh.python import escaping

HOSTILE = [
    '"',
    '""',
    '"""',
    '""""""',
    "\\",
    '\\"',
    "'''",
    "\n",
    "\r",
    "\0",
    "\x0c",
    "\u2028",
    "\x85",
    "\t",
    " ",
    "{{",
    "\u3000",
]
texts = st.lists(st.one_of(st.sampled_from(HOSTILE), st.text(max_size=5)), max_size=10).map("".join)


def by_black(text: str) -> str:
    return black.format_str(text, mode=black.Mode())


@settings(max_examples=300)
@given(texts, st.sampled_from([0, 4, 8]))
@example('"""); import os # """', 4)
@example("a\n\u3000b\n\u3000\u3000c", 4)
@example("a\n    b\n  c\n\td", 8)
@example('x\\"', 4)
def test_comments_come_back_from_docstrings(comment: str, indent: int) -> None:
    text = clean(comment)
    if not text:
        return
    docstring = escaping.docstring(text, indent)
    source = f"{docstring}\n"
    for depth in range(indent // 4):
        source = f"{' ' * (indent - 4 * (depth + 1))}class X:\n{source}"
    node: ast.Module | ast.ClassDef = ast.parse(source)
    while isinstance(node.body[0], ast.ClassDef):
        node = node.body[0]
    assert len(node.body) == 1
    assert ast.get_docstring(node) == text
    assert by_black(source) == source


@settings(max_examples=300)
@given(texts)
def test_literals_come_back(text: str) -> None:
    source = f"x = {escaping.literal(text)}\n"
    assert ast.literal_eval(escaping.literal(text)) == text
    assert source.isascii()
    if len(source) <= 89:
        assert by_black(source) == source


@given(texts)
def test_comment_lines_are_one_line(text: str) -> None:
    tree = ast.parse(f"# {escaping.comment(text)}\n")
    assert tree.body == []


@pytest.mark.parametrize(
    ("value", "source"),
    [
        ("text", '"text"'),
        (escaping.Code("name"), "name"),
        (3, "3"),
        (0.5, "0.5"),
        (True, "True"),
        (None, "None"),
        (("a",), '("a",)'),
        (("a", 1), '("a", 1)'),
        ((), "()"),
    ],
)
def test_values_other_than_code_become_literals(value: object, source: str) -> None:
    assert escaping.code(value) == source


def test_values_without_a_literal_are_refused() -> None:
    with pytest.raises(TypeError, match="no Python literal for object"):
        escaping.code(object())


@pytest.mark.parametrize(
    ("comment", "text"),
    [
        ("", ""),
        (" \n \n", ""),
        (" One line.\n", "One line."),
        (" First.\n Second.\n", "First.\nSecond."),
        (" First.\n   Indented.\n Second.\n", "First.\n  Indented.\nSecond."),
        ("no margin\n", "no margin"),
        (" trailing   \n\n\n", "trailing"),
        ("\tTab\n\tTab\n", "Tab\nTab"),
        (" a\r\n b\r\n", "a\nb"),
    ],
)
def test_clean(comment: str, text: str) -> None:
    assert clean(comment) == text
