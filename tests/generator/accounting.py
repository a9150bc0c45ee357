"""Checks every statement and call in a generated module: it contains no code but the templates'."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

from google.protobuf.descriptor_pb2 import FileDescriptorProto

from protoc_gen_dubbo_mesh.protoc.source_info import METHOD, SERVICE, clean

_STATEMENTS = (
    ast.AnnAssign,
    ast.Assign,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Expr,
    ast.FunctionDef,
    ast.Import,
    ast.ImportFrom,
    ast.Return,
)
_EXPRESSIONS = (
    ast.Attribute,
    ast.Await,
    ast.BinOp,  # a union of types
    ast.BitOr,
    ast.Call,
    ast.Constant,
    ast.Name,
    ast.Subscript,
    ast.Tuple,
)
_PARTS = (ast.Module, ast.alias, ast.arg, ast.arguments, ast.expr_context, ast.keyword)

_CALLS = re.compile(
    r"""
      dubbo_mesh_* (\.|_) aio_* \. (unimplemented|unimplemented_stream)
    | dubbo_mesh_* \. (aio\.)?
        (deprecated|require_api|Service|Method|EnvoyHeaders|rpc|unimplemented|unimplemented_stream|add_servicer)
    | importlib_* \. import_module
    | getattr
    """,
    re.VERBOSE,
)
_LIBRARIES = {
    "__future__",
    "builtins",
    "collections.abc",
    "dubbo_mesh",
    "dubbo_mesh.aio",
    "grpc",
    "importlib",
    "typing",
}


def account_for(source: str) -> ast.Module:
    """Parses a generated module and asserts that it contains nothing that a template would not write."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        assert isinstance(node, (*_STATEMENTS, *_EXPRESSIONS, *_PARTS)), ast.dump(node)
        match node:
            case ast.Call():
                assert _CALLS.fullmatch(ast.unparse(node.func)), ast.unparse(node)
            case ast.Import():
                assert all(_is_known(alias.name) for alias in node.names), ast.unparse(node)
            case ast.ImportFrom():
                known = node.module in _LIBRARIES or all(_is_known(alias.name) for alias in node.names)
                assert known, ast.unparse(node)
            case ast.Expr():
                assert isinstance(node.value, ast.Await | ast.Call) or _is_text(node.value), ast.unparse(node)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                assert not node.args.defaults, ast.unparse(node)
            case _:
                pass
    for statement in tree.body:
        assert not isinstance(statement, ast.Return | ast.AnnAssign)
    return tree


def check_comments(tree: ast.Module, file: FileDescriptorProto) -> None:
    """Asserts that the docstrings of a module's classes and methods are exactly the file's comments."""
    locations = {tuple(location.path): location for location in file.source_code_info.location}

    def expected(*path: int) -> str | None:
        location = locations.get(path)
        if location is None:
            return None
        return clean(location.leading_comments) or clean(location.trailing_comments) or None

    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    per_service = len(classes) // len(file.service)
    for index, service in enumerate(file.service):
        for node in classes[index * per_service : (index + 1) * per_service]:
            assert ast.get_docstring(node) == expected(SERVICE, index)
            found = list(_rpc_docstrings(node))
            wanted = [expected(SERVICE, index, METHOD, number) for number in range(len(service.method))]
            assert found == wanted


def _rpc_docstrings(node: ast.ClassDef) -> Iterable[str | None]:
    """The docstrings of a class's methods, and of its attributes, which are the strings after them."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    for statement, following in zip(body, [*body[1:], None], strict=True):
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(statement)
        elif isinstance(statement, ast.AnnAssign):
            if isinstance(following, ast.Expr):
                yield ast.get_docstring(ast.Module(body=[following], type_ignores=[]))
            else:
                yield None


def _is_known(module: str) -> bool:
    return module in _LIBRARIES or module.endswith("_pb2")


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
