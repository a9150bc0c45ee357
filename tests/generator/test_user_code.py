"""Type checkers on code that uses generated modules: correct code passes, each mistake is reported.

In `WRONG`, a line with a mistake ends with `# wrong`; both checkers must report these lines and no others.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

RIGHT = '''\
from collections.abc import AsyncIterator, Iterator

import grpc
import grpc.aio

import dubbo_mesh
import dubbo_mesh.aio
from shapes_mesh import (
    ShapesAsyncServicer,
    ShapesAsyncStub,
    ShapesServicer,
    ShapesStub,
    add_ShapesServicer_to_server,
)
from shapes_pb2 import Reply, Request


class Sync(ShapesServicer):
    def unary(self, request: Request, context: grpc.ServicerContext) -> Reply:
        return Reply(message=request.name)

    def clientStream(self, request_iterator: Iterator[Request], context: grpc.ServicerContext) -> Reply:
        return Reply(message=",".join(request.name for request in request_iterator))

    def replyStream(self, request: Request, context: grpc.ServicerContext) -> Iterator[Reply]:
        yield Reply(message=request.name)

    def biStream(
        self, request_iterator: Iterator[Request], context: grpc.ServicerContext
    ) -> Iterator[Reply]:
        for request in request_iterator:
            yield Reply(message=request.name)


class Async(ShapesAsyncServicer):
    async def unary(self, request: Request, context: dubbo_mesh.aio.ServicerContext) -> Reply:
        return Reply(message=request.name)

    async def clientStream(
        self, request_iterator: AsyncIterator[Request], context: dubbo_mesh.aio.ServicerContext
    ) -> Reply:
        return Reply(message=",".join([request.name async for request in request_iterator]))

    async def replyStream(
        self, request: Request, context: dubbo_mesh.aio.ServicerContext
    ) -> AsyncIterator[Reply]:
        yield Reply(message=request.name)

    async def biStream(
        self, request_iterator: AsyncIterator[Request], context: dubbo_mesh.aio.ServicerContext
    ) -> AsyncIterator[Reply]:
        async for request in request_iterator:
            yield Reply(message=request.name)


def register(server: grpc.Server, aio_server: grpc.aio.Server) -> None:
    add_ShapesServicer_to_server(Sync(), server)
    add_ShapesServicer_to_server(Sync(), aio_server)
    add_ShapesServicer_to_server(Async(), aio_server)


def call(channel: grpc.Channel) -> str:
    with ShapesStub(channel, envoy=dubbo_mesh.EnvoyHeaders(timeout=1)) as stub:
        text = stub.unary(Request(), timeout=1, metadata=(("k", "v"),), wait_for_ready=True).message
        reply, call = stub.unary.with_call(Request(), envoy=dubbo_mesh.EnvoyHeaders(max_retries=1))
        text += reply.message + stub.unary.future(Request()).result().message
        text += stub.clientStream(iter([Request()])).message
        stream = stub.replyStream(Request())
        text += "".join(reply.message for reply in stream)
        stream.cancel()
        text += "".join(reply.message for reply in stub.biStream(iter([Request()])))
        return text + str(call.code())


async def call_async(channel: grpc.aio.Channel) -> str:
    async with ShapesAsyncStub(channel) as stub:
        text = (await stub.unary(Request(), timeout=1)).message
        call = stub.unary(Request())
        text += str(await call.code()) + (await call).message

        async def requests() -> AsyncIterator[Request]:
            yield Request()

        text += (await stub.clientStream(requests())).message
        async for reply in stub.replyStream(Request()):
            text += reply.message
        stream = stub.biStream()
        await stream.write(Request())
        await stream.done_writing()
        async for reply in stream:
            text += reply.message
        return text


async def twin(channel: grpc.aio.Channel) -> str:
    """As with protoc's stubs, a stub of an aio channel is async."""
    return (await ShapesStub(channel).unary(Request())).message
'''

WRONG = """\
import grpc

import dubbo_mesh.aio
from deprecated_mesh import PartlyStub
from deprecated_pb2 import Message
from shapes_mesh import ShapesAsyncServicer, ShapesAsyncStub, ShapesServicer, ShapesStub
from shapes_pb2 import Reply, Request


class Sync(ShapesServicer):
    def unary(self, request: Request, context: grpc.ServicerContext) -> Request:  # wrong
        return request

    def clientStream(self, request_iterator: Request, context: grpc.ServicerContext) -> Reply:  # wrong
        return Reply()

    def replyStream(self, request: Request, context: grpc.ServicerContext) -> Reply:  # wrong
        return Reply()


class Async(ShapesAsyncServicer):
    def unary(self, request: Request, context: dubbo_mesh.aio.ServicerContext) -> Reply:  # wrong
        return Reply()


def call(stub: ShapesStub) -> None:
    stub.unary(Reply())  # wrong
    stub.unary(Request()).name  # wrong
    stub.clientStream(Request())  # wrong
    stub.unknown(Request())  # wrong
    stub.unary(Request(), time_out=1)  # wrong
    print(*stub.unary(Request()))  # wrong


async def call_async(stub: ShapesAsyncStub) -> None:
    print(stub.unary(Request()).message)  # wrong
    await stub.unary(Reply())  # wrong
    print(*stub.replyStream(Request()))  # wrong


def call_deprecated(stub: PartlyStub) -> None:
    stub.good(Message())
    stub.unary(Message())  # wrong
    stub.stream(iter([Message()]))  # wrong
"""

MYPY = """\
[mypy]
strict = true
enable_error_code = deprecated
namespace_packages = true
explicit_package_bases = true
follow_imports = silent
follow_imports_for_stubs = true
"""


@pytest.fixture(scope="module")
def code(site: Path) -> Path:
    """A directory next to the generated modules, with the code to check."""
    directory = site / "user"
    directory.mkdir()
    directory.joinpath("right.py").write_text(RIGHT, encoding="utf-8")
    directory.joinpath("wrong.py").write_text(WRONG, encoding="utf-8")
    return directory


def execute(command: list[str], cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    return done.stdout


def wrong_lines() -> set[int]:
    return {number for number, line in enumerate(WRONG.splitlines(), 1) if line.endswith("# wrong")}


def test_mypy(code: Path, site: Path) -> None:
    site.joinpath("user.ini").write_text(MYPY, encoding="utf-8")
    shown = execute(["mypy", "--config-file=user.ini", "user/right.py", "user/wrong.py"], site)
    reported = re.findall(r"^user/(\w+)\.py:(\d+): error", shown, re.MULTILINE)
    assert [place for place in reported if place[0] == "right"] == [], shown
    assert {int(line) for _, line in reported} == wrong_lines(), shown


def test_pyright(code: Path, site: Path) -> None:
    project = site / "user.json"
    settings = {
        "include": ["user"],
        "typeCheckingMode": "strict",
        "pythonVersion": "3.11",
        "extraPaths": ["."],
    }
    project.write_text(json.dumps(settings | {"reportMissingModuleSource": False}), encoding="utf-8")
    command = ["pyright", "--pythonpath", sys.executable, "--project", str(project), "--outputjson"]
    shown = json.loads(execute(command, site))["generalDiagnostics"]
    reported = {(Path(one["file"]).stem, one["range"]["start"]["line"] + 1): one["message"] for one in shown}
    assert [place for place in reported if place[0] == "right"] == [], reported
    assert {line for _, line in reported} == wrong_lines(), reported
