"""What `help`, `dir`, `inspect` and `create_autospec` see of generated stubs, of both API versions."""

from __future__ import annotations

import asyncio
import copy
import importlib
import inspect
import pickle
import pydoc
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple
from unittest.mock import MagicMock, create_autospec, patch

import grpc
import pytest

import dubbo_mesh
from tests.calling.test_derived_stubs import OtherStub

ROOT = Path(__file__).parents[2]
RPCS = ["biStream", "clientStream", "replyStream", "unary"]


class Generated(NamedTuple):
    """Modules generated from golden/shapes and golden/deprecated."""

    shapes: Any
    messages: Any
    deprecated: Any


@pytest.fixture(scope="module", params=["golden", "golden_v1"])
def generated(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Generated]:
    """What users have, of the current API version and of version 1."""
    site = tmp_path_factory.mktemp(request.param)
    for case in ("shapes", "deprecated"):
        root = ROOT / request.param / case
        protos = [path.name for path in root.glob("*.proto")]
        command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{root}", f"--python_out={site}", *protos]
        subprocess.run(command, check=True)
        for module in (root / "expected").glob("*_mesh.py"):
            (site / module.name).write_text(module.read_text())
    names = ("shapes_mesh", "shapes_pb2", "deprecated_mesh")
    sys.path.insert(0, str(site))
    try:
        yield Generated(*map(importlib.import_module, names))
    finally:
        sys.path.remove(str(site))
        # The other version's modules have the same names, and the same descriptors.
        for name, module in list(sys.modules.items()):
            if isinstance(module, ModuleType) and str(module.__dict__.get("__file__")).startswith(str(site)):
                del sys.modules[name]


def attributes(stub: Any) -> list[str]:
    """The public ones that it has itself."""
    return [name for name in stub.__dict__ if not name.startswith("_")]


class TestClasses:
    @pytest.mark.parametrize("name", ["ShapesStub", "ShapesAsyncStub"])
    def test_list_their_rpcs(self, generated: Generated, name: str) -> None:
        stub = getattr(generated.shapes, name)
        assert [name for name in dir(stub) if not name.startswith("_")] == RPCS
        assert [each for each, _ in inspect.getmembers(stub, inspect.isroutine) if each in RPCS] == RPCS
        assert not hasattr(stub, "unknown")

    def test_are_documented_from_the_proto(self, generated: Generated) -> None:
        shown = pydoc.plain(pydoc.render_doc(generated.shapes.ShapesStub))
        shown = re.sub(r"[\s|]", "", shown)  # Python 3.13 breaks lines where 3.12 does not
        assert "unary(request:shapes_pb2.Request,timeout=None,metadata=None,credentials=None," in shown
        assert "compression=None,*,envoy=None)->shapes_pb2.ReplyOnerequest,onereply." in shown
        assert "Calls/golden.shapes.Shapes/unary." in shown
        assert "->collections.abc.Iterator[shapes_pb2.Reply]" in shown

    def test_have_signatures(self, generated: Generated) -> None:
        signature = inspect.signature(generated.shapes.ShapesAsyncStub.unary)
        assert signature.parameters["request"].annotation is generated.messages.Request
        assert signature.parameters["timeout"].kind is inspect.Parameter.KEYWORD_ONLY
        assert signature.return_annotation is generated.messages.Reply

    def test_do_not_call(self, generated: Generated) -> None:
        stub = generated.shapes.ShapesStub
        with pytest.raises(TypeError, match=r"^ShapesStub\.unary must be called on an instance: ShapesStub"):
            stub.unary(generated.messages.Request())
        with pytest.raises(TypeError, match=r"instance: ShapesStub\(\.\.\.\)\.unary\.with_call\(\.\.\.\)$"):
            stub.unary.with_call(generated.messages.Request())
        with pytest.raises(TypeError, match=r"ShapesAsyncStub\.biStream must be called on an instance"):
            generated.shapes.ShapesAsyncStub.biStream()
        with pytest.raises(TypeError, match=r"ShapesAsyncStub\.unary must be called on an instance"):
            asyncio.run(generated.shapes.ShapesAsyncStub.unary(generated.messages.Request()))

    def test_warn_of_no_deprecated_rpc_when_looked_at(self, generated: Generated) -> None:
        partly = generated.deprecated.PartlyStub
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert [name for name in dir(partly) if not name.startswith("_")] == ["good", "stream", "unary"]
            assert "Not any more." in pydoc.render_doc(partly)
            assert "request" in inspect.signature(partly.unary).parameters


class TestInstances:
    def test_have_their_rpcs_and_nothing_else(self, generated: Generated) -> None:
        stub: Any = generated.shapes.ShapesStub(target="127.0.0.1:1")
        with stub:
            assert [name for name in dir(stub) if not name.startswith("_")] == RPCS
            assert attributes(stub) == ["unary", "clientStream", "replyStream", "biStream"]
            assert copy.copy(stub).unary is stub.unary
            assert isinstance(stub.unary, dubbo_mesh.UnaryUnary)
            with pytest.raises(AttributeError, match="unknown"):
                _ = stub.unknown

    def test_warn_of_deprecated_rpcs(self, generated: Generated) -> None:
        with generated.deprecated.PartlyStub(target="127.0.0.1:1") as stub:
            assert isinstance(stub.good, dubbo_mesh.UnaryUnary)
            with pytest.warns(DeprecationWarning, match="Partly.unary is deprecated"):
                assert isinstance(stub.unary, dubbo_mesh.UnaryUnary)

    def test_without_a_constructor_have_none(self, generated: Generated) -> None:
        empty = object.__new__(generated.shapes.ShapesStub)
        assert not hasattr(empty, "unary")

    def test_classes_are_pickled_by_name(self, generated: Generated) -> None:
        assert pickle.loads(pickle.dumps(generated.shapes.ShapesStub)) is generated.shapes.ShapesStub


class TestAutospec:
    @pytest.mark.parametrize("instance", [True, False])
    def test_checks_calls(self, generated: Generated, instance: bool) -> None:
        spec, messages = generated.shapes.ShapesStub, generated.messages
        stub = create_autospec(spec, instance=True) if instance else create_autospec(spec)(target="h:1")
        stub.unary.return_value = messages.Reply(message="hello")
        assert stub.unary(messages.Request(), timeout=1, envoy=None).message == "hello"
        stub.unary.assert_called_once_with(messages.Request(), timeout=1, envoy=None)
        for wrong in (
            stub.unary,
            lambda: stub.unary(messages.Request(), time_out=1),
            lambda: stub.clientStream(),
        ):
            with pytest.raises(TypeError, match=r"missing a required argument|unexpected keyword argument"):
                wrong()
        assert not any((hasattr(stub, "unknown"), hasattr(stub.replyStream, "future")))
        assert hasattr(stub.unary, "future")

    def test_mocks_are_stubs_to_isinstance(self, generated: Generated) -> None:
        stub = create_autospec(generated.shapes.ShapesStub, instance=True)
        assert isinstance(stub, generated.shapes.ShapesStub)

    def test_mocks_return_what_is_set(self, generated: Generated) -> None:
        stub, reply = create_autospec(generated.shapes.ShapesStub, instance=True), generated.messages.Reply()
        request = generated.messages.Request()
        stub.unary.with_call.return_value = reply, None
        stub.unary.future.return_value.result.return_value = reply
        stub.replyStream.return_value = [reply, reply]

        def answer(requests: Iterator[Any], timeout: float) -> Iterator[Any]:
            return (reply for _ in requests)

        stub.biStream.side_effect = answer
        assert stub.unary.with_call(request, timeout=1) == (reply, None)
        assert stub.unary.future(request).result() is reply
        assert list(stub.replyStream(request)) == [reply, reply]
        assert list(stub.biStream(iter([request]), timeout=1)) == [reply]

    @pytest.mark.parametrize("instance", [True, False])
    def test_async_rpcs_are_awaited_or_iterated(self, generated: Generated, instance: bool) -> None:
        spec, messages = generated.shapes.ShapesAsyncStub, generated.messages
        stub = create_autospec(spec, instance=True) if instance else create_autospec(spec)(target="h:1")
        reply, request = messages.Reply(message="hello"), messages.Request()
        stub.unary.return_value = stub.clientStream.return_value = reply
        stub.replyStream.return_value.__aiter__.return_value = [reply, reply]

        async def use() -> None:
            assert await stub.unary(request, timeout=1) is reply
            stub.unary.assert_awaited_once_with(request, timeout=1)
            assert await stub.clientStream(iter([request])) is reply
            assert [each async for each in stub.replyStream(request)] == [reply, reply]
            stub.unary.side_effect = grpc.RpcError
            with pytest.raises(grpc.RpcError):
                await stub.unary(request)
            with pytest.raises(TypeError):
                stub.unary(request, time_out=1)
            with pytest.raises(AttributeError):
                _ = stub.unknown

        asyncio.run(use())

    def test_knows_deprecated_rpcs(self, generated: Generated) -> None:
        stub = create_autospec(generated.deprecated.PartlyStub, instance=True)
        stub.unary.return_value = 1
        assert stub.unary(None, timeout=1) == 1
        with pytest.raises(TypeError):
            stub.unary(None, time_out=1)
        twin = create_autospec(generated.deprecated.PartlyAsyncStub, instance=True)
        twin.unary.return_value = 2

        async def use() -> Any:
            return await twin.unary(None)

        assert asyncio.run(use()) == 2

    def test_stubs_made_while_a_class_is_patched_have_the_mock(self, generated: Generated) -> None:
        stub_class, request = generated.shapes.ShapesStub, generated.messages.Request()
        with patch.object(stub_class, "unary", autospec=True) as unary:
            unary.return_value = "patched"
            with stub_class(target="127.0.0.1:1") as stub:
                assert stub.unary(request) == "patched"
                with pytest.raises(TypeError):
                    stub.unary(request, time_out=1)
        with stub_class(target="127.0.0.1:1") as stub:
            assert isinstance(stub.unary, dubbo_mesh.UnaryUnary)

    def test_so_have_async_stubs(self, generated: Generated) -> None:
        stub_class, request = generated.shapes.ShapesAsyncStub, generated.messages.Request()

        async def use() -> None:
            with patch.object(stub_class, "unary", autospec=True) as unary:
                unary.return_value = "patched"
                async with stub_class(target="127.0.0.1:1") as stub:
                    assert await stub.unary(request, timeout=1) == "patched"

        asyncio.run(use())

    def test_plain_mocks_with_a_spec_can_be_awaited(self, generated: Generated) -> None:
        stub = MagicMock(spec=generated.shapes.ShapesAsyncStub)

        async def use() -> None:
            await stub.unary(generated.messages.Request())

        asyncio.run(use())


class TestDerivedClasses:
    def test_methods_named_like_rpcs_are_kept_and_can_call_them(self, generated: Generated) -> None:
        base: Any = generated.shapes.ShapesStub

        class Careful(base):  # type: ignore[misc]
            def unary(self, name: str) -> Any:
                own: Any = super()
                return own.unary, name

        assert inspect.isfunction(vars(Careful)["unary"])
        stub: Any = Careful(target="127.0.0.1:1")
        with stub:
            rpc, name = stub.unary("x")
            assert (type(rpc), name) == (dubbo_mesh.UnaryUnary, "x")
            assert dubbo_mesh.rpc(stub, "unary") is rpc
            assert type(stub.replyStream) is dubbo_mesh.UnaryStream
            assert attributes(stub) == ["clientStream", "replyStream", "biStream"]

    def test_methods_are_kept_by_classes_in_another_version(self, generated: Generated) -> None:
        base: Any = generated.shapes.ShapesStub

        class Careful(base):  # type: ignore[misc]
            def unary(self) -> str:
                return "own"

        class Second(Careful):
            __mesh__ = base.__mesh__.with_identity(version="2")

        stub: Any = Second(target="127.0.0.1:1")
        with stub:
            assert stub.unary() == "own"

    def test_classes_of_two_services_show_both(self, generated: Generated) -> None:
        other: Any = generated.deprecated.PartlyStub

        class Two(OtherStub, other):  # type: ignore[misc]
            pass

        stub = create_autospec(Two, instance=True)
        stub.other.return_value, stub.good.return_value = 1, 2
        assert (stub.other(None), stub.good(None)) == (1, 2)


LOOKS = """
import sys
from tests.calling.echo import EchoAsyncStub, EchoStub
assert "dubbo_mesh._calling.unbound" not in sys.modules
EchoStub.unary, EchoAsyncStub.unary
assert "dubbo_mesh._calling.unbound" in sys.modules
"""


def test_only_those_who_look_load_what_is_shown() -> None:
    subprocess.run([sys.executable, "-c", LOOKS], check=True, cwd=ROOT)
