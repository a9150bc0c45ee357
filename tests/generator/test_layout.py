"""Statements are laid out exactly as by Black, and mostly without running it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import black
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protoc_gen_dubbo_mesh.python import layout
from protoc_gen_dubbo_mesh.python.dialect import PYTHON
from protoc_gen_dubbo_mesh.python.escaping import Code
from protoc_gen_dubbo_mesh.python.layout import UnsureError
from protoc_gen_dubbo_mesh.python.render import LayoutContext
from protoc_gen_dubbo_mesh.templating.compiler import compile_templates

# Statements as in templates, with numbers in place of names.
SOURCES = """\
from {0}.{1} import {2}_pb2
---
from {0}.{1} import {2}_pb2, {3}_pb2, {4}_pb2
---
from {0}.{1} import {2}_pb2 as {3}_pb2
---
import {0}_pb2 as {1}_pb2
---
{0}_pb2 = importlib.import_module("{1}.{2}_pb2", __package__)
---
X = dubbo_mesh.Service(
    "{0}",
    dubbo_mesh.Method(
        "/{1}.{2}/{3}",
        getattr({4}_pb2.{5}, "class"),
        envoy=dubbo_mesh.EnvoyHeaders(timeout=3.0, retry_on=("reset", "5xx"), retriable_header_names=("{0}",), retriable_status_codes=(500, 501, 502, 503, 504, 505, 506, 507, 508, 509, 510, 511, 512, 513, 514, 515), decorator_operation="{1}"),
    ),
)
---
@dubbo_mesh.deprecated("rpc {0}.{1}.{2} is deprecated", category=None)
class {3}(dubbo_mesh.Servicer):
    __mesh__ = _X
---
class {0}Stub(dubbo_mesh.Stub["{0}AsyncStub"]):
    __mesh__ = _X
---
class {0}AsyncStub(dubbo_mesh.aio.Stub, twin={0}Stub):
    __mesh__ = _X
---
class X:
    {0}: dubbo_mesh.UnaryUnary[{1}_pb2.{2}, {3}_pb2.{4}.{5}]
---
class X:
    @property
    @deprecated_
    def {0}(self) -> dubbo_mesh.aio.StreamUnary[{1}_pb2.{2}, {3}_pb2.{4}]:
        return dubbo_mesh.rpc(self, "{0}")
---
class X:
    def {0}(self, request: {1}_pb2.{2}, context: grpc.ServicerContext) -> {3}_pb2.{4}:
        dubbo_mesh.unimplemented(context, "/{1}.{2}/{0}")
---
class X:
    async def {0}(self, request_iterator: AsyncIterator[{1}_pb2.{2}], context: dubbo_mesh.aio.ServicerContext) -> {3}_pb2.{4}.{5}:
        await dubbo_mesh.aio.unimplemented(context, "/{1}.{2}/{0}")
---
class X:
    def {0}(self, request: {1}_pb2.{2}, context: dubbo_mesh.aio.ServicerContext) -> AsyncIterator[{3}_pb2.{4}.{5}]:
        return dubbo_mesh.aio.unimplemented_stream(context, "/{1}.{2}/{0}")
---
def add_{0}Servicer_to_server(servicer: {0}Servicer | {0}AsyncServicer, server: grpc.Server | grpc.aio.Server) -> None:
    dubbo_mesh.add_servicer(servicer, server, _{0})
"""  # noqa: E501
STATEMENTS = SOURCES.split("---\n")


NAMES = [f"name{number}" for number in range(6)]
# Each statement as a template that is rendered with the names.
TEMPLATES: dict[str, Any] = {}
exec(
    compile_templates(
        "test",
        {
            f"{number}.j2": source.format(*(f"{{{{ {name} }}}}" for name in NAMES))
            for number, source in enumerate(STATEMENTS)
        },
        PYTHON,
    ),
    TEMPLATES,
)
KINDS = range(len(STATEMENTS))


def by_black(text: str) -> str:
    return black.format_str(text, mode=black.Mode())


def plain(number: int, names: list[str]) -> str:
    return STATEMENTS[number].format(*names)


def rendered(number: int, names: list[str]) -> str:
    """As in real templates: items are passed to the layout separately."""
    variables = dict(zip(NAMES, map(Code, names), strict=True))
    text: str = TEMPLATES["ROOTS"][f"{number}.j2"](LayoutContext(variables))
    return text


def by_lines(number: int, names: list[str]) -> str:
    """As one line of text."""
    return "\n".join(map(layout.line, plain(number, names).split("\n")))


def names(longest: int) -> st.SearchStrategy[list[str]]:
    return st.lists(st.integers(1, longest).map(lambda length: "N" * length), min_size=6, max_size=6)


@pytest.mark.parametrize("laid_out", [rendered, by_lines])
@pytest.mark.parametrize("number", KINDS)
@settings(max_examples=60)
@given(names=names(75))
def test_as_black_would(number: int, laid_out: Callable[[int, list[str]], str], names: list[str]) -> None:
    with suppress(UnsureError):
        assert laid_out(number, names) == by_black(plain(number, names))


@pytest.mark.parametrize("laid_out", [rendered, by_lines])
@pytest.mark.parametrize("number", [number for number in KINDS if "import_module" not in STATEMENTS[number]])
@settings(max_examples=40)
@given(names=names(40))
def test_names_of_usual_length_do_without_black(
    number: int, laid_out: Callable[[int, list[str]], str], names: list[str]
) -> None:
    laid_out(number, names)


def test_what_is_left_to_black_is_on_one_line() -> None:
    assert (
        layout.join("    ", "def f(", ("self", "x: int"), ") -> None:") == "    def f(self, x: int) -> None:"
    )
    assert layout.by_black(f"x({'y, ' * 40}z)\n") == by_black(f"x({'y, ' * 40}z)\n")


def test_docstrings_stay_as_they_are() -> None:
    line = "A line (which is, [like this], longer than größe) " * 4
    text = f'    """{line}\n    {line}\n    """'
    assert layout.line(text) == text
    assert layout.line(f'    """{line}"""') == f'    """{line}"""'


def test_comments_stay_as_they_are() -> None:
    text = f"# Generated from {'größe/' * 30}.proto. Do not edit."
    assert layout.line(text) == text


def test_black_counts_how_wide_letters_are() -> None:
    text = f"from {'世界' * 15}.x import {'模块' * 5}_pb2"
    assert len(text) < layout.WIDTH
    with pytest.raises(UnsureError):
        layout.line(text)
