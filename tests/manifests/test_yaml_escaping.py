"""Parsers of YAML 1.1 and 1.2 read back exactly what was put into YAML, and comments change nothing."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from protoc_gen_dubbo_mesh.yaml import escaping

HOSTILE = (
    *"\"'\\\n\r\t\0\x0c\x85\u2028\ufeff\u202e\U0001f600 #:-?,[]{}&*!|>%@`~=<.0123456789_+",
    *("yes", "null", "{{", "---", "...", "0x", "0o", "1e", "<<", "a", "k: v", "- ", " #", "\n\n", "T00:00"),
)
hostile = st.lists(st.sampled_from(HOSTILE), max_size=8).map("".join)
# What protobuf can hold: anything that has a UTF-8 encoding.
texts = st.one_of(hostile, st.text(st.characters(codec="utf-8"), max_size=20))

PLAIN = [
    *(
        "demo",
        "org.apache.dubbo.Greeter",
        "/org.apache.dubbo.Greeter/sayHello",
        "demo.default.svc.cluster.local",
    ),
    *(
        "networking.istio.io/v1",
        "x-envoy-max-retries",
        "type.googleapis.com/envoy.config.v3.Filter",
        "GRPC",
        "v1",
    ),
    *("3s", "1s500ms", "0.5s", "250ms", "1h30m", "127.0.0.1", "10.0.0.0/8"),
]
# Each is something else than a string, or an error, to some parser.
QUOTED = [
    *(
        "y",
        "N",
        "yes",
        "No",
        "on",
        "OFF",
        "true",
        "False",
        "null",
        "Null",
        "~",
        "",
        ".inf",
        "-.INF",
        ".nan",
        "NaN",
    ),
    *(
        "1",
        "-1",
        "+1",
        "0x1f",
        "0o17",
        "017",
        "0b1",
        "1_000",
        "1.5",
        "1e3",
        "1.",
        ".5",
        "1.5e+3",
        "1:30",
        "1:30.5",
    ),
    *(
        "2001-12-14",
        "2001-12-14 21:59:43.10",
        "=",
        "<<",
        "---",
        "...",
        "- a",
        "? a",
        "a: b",
        "a #b",
        "#",
        ": ",
        "a:",
    ),
    *(
        "*a",
        "&a",
        "!a",
        "|",
        ">",
        "%a",
        "@a",
        "`a",
        "[a]",
        "{a: b}",
        "a, b",
        " a",
        "a ",
        "'a'",
        '"a"',
        "\t",
        "\n",
    ),
    *("1.2.3", "5xx,reset", "*.example.com", ":path", "host:80", "5", "1,000"),
]


YAML_1_2 = YAML(typ="safe", pure=True)


def by_1_2(text: str) -> Any:
    """The document as a parser of YAML 1.2 reads it."""
    return YAML_1_2.load(text)  # pyright: ignore[reportUnknownMemberType]


def by_both(text: str) -> Any:
    """The document as PyYAML (YAML 1.1) and ruamel.yaml (YAML 1.2) read it, which must agree."""
    old = yaml.safe_load(text)
    assert by_1_2(text) == old
    return old


def same(read: object, written: object) -> bool:
    return type(read) is type(written) and repr(read) == repr(written)


@settings(max_examples=100)
@given(texts)
@example("a\nb: c")
@example('" # \\')
def test_text_is_read_back_wherever_it_stands(text: str) -> None:
    printed = escaping.scalar(text)
    assert printed.isascii()
    assert "\n" not in printed
    assert by_both(f"k: {printed}\n") == {"k": text}
    assert by_both(f"{printed}: v\n") == {text: "v"}
    assert by_both(f"k:\n  - {printed}  # note\n  - {printed}") == {"k": [text, text]}


@settings(max_examples=100)
@given(st.lists(texts, max_size=4), st.dictionaries(texts, texts, max_size=3))
def test_text_is_read_back_from_flow_collections(items: list[str], labels: dict[str, str]) -> None:
    printed = f"a: {escaping.flow(items)}\nb: {escaping.flow_mapping(labels.items())}\n"
    assert by_both(printed) == {"a": items, "b": labels}
    assert by_both(f"[{escaping.flow(items)}, {escaping.flow(items)}]") == [items, items]


@given(
    st.one_of(
        st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False, allow_infinity=False)
    )
)
@example(1e16)
@example(5e-324)
@example(-0.0)
def test_numbers_and_booleans_keep_their_types(value: float) -> None:
    printed = escaping.scalar(value)
    assert same(yaml.safe_load(printed), value)
    assert same(by_1_2(printed), value)


@pytest.mark.parametrize("text", PLAIN)
def test_names_paths_durations_and_addresses_are_plain(text: str) -> None:
    assert escaping.scalar(text) == text


@pytest.mark.parametrize("text", QUOTED)
def test_what_some_parser_takes_for_something_else_is_quoted(text: str) -> None:
    assert escaping.scalar(text).startswith('"')
    assert by_both(f"k: {escaping.scalar(text)}") == {"k": text}


@pytest.mark.parametrize("value", [None, [], (), {}, b"", object()], ids=lambda value: type(value).__name__)
def test_other_types_are_errors(value: object) -> None:
    with pytest.raises(TypeError, match=f"^no YAML scalar for {type(value).__name__}$"):
        escaping.scalar(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 2**64, -(2**63) - 1])
def test_numbers_that_not_every_parser_can_represent_are_errors(value: float) -> None:
    with pytest.raises(ValueError, match=r"^a number in YAML must"):
        escaping.scalar(value)


def test_a_lone_surrogate_is_an_error() -> None:
    with pytest.raises(UnicodeEncodeError):
        escaping.scalar("\ud800")


@settings(max_examples=100)
@given(texts)
@example("a\nb: c")
@example("\r\nb: c")
def test_comments_never_change_the_document(text: str) -> None:
    document = (
        f"# {escaping.comment(text)}\n"
        f"{escaping.comment_block(text)}\n"
        f"k:{escaping.note(text)}\n"
        f"{escaping.comment_block(text, 2)}\n"
        f"  - a{escaping.note(text)}\n"
        f"# {escaping.comment(text)}"
    )
    assert by_both(document) == {"k": ["a"]}


@given(texts, st.sampled_from([0, 2, 4]))
def test_each_line_of_a_comment_is_one(text: str, indent: int) -> None:
    lines = escaping.comment_block(text, indent).split("\n")
    assert len(lines) == text.count("\n") + 1
    assert all(line.startswith(" " * indent + "#") and line == line.rstrip() for line in lines)
    assert escaping.note(text) == "" or escaping.note(text).startswith("  # ")


def test_comments_keep_their_text() -> None:
    assert escaping.comment("from a.proto: héllo") == "from a.proto: héllo"
    assert escaping.comment_block("One.\n\n  Two.", 2) == "  # One.\n  #\n  #   Two."
    assert escaping.note("a.proto:3") == "  # a.proto:3"
    assert escaping.note("") == ""
