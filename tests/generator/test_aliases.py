"""Further names that rpcs are served under: only what is asked for, and answered by real servers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from protoc_gen_dubbo_mesh.errors import GenerationError
from protoc_gen_dubbo_mesh.policy import aliases
from tests.generator.compiling import generate_proto

CALLS = """
import asyncio, sys, warnings
from concurrent.futures import ThreadPoolExecutor
warnings.simplefilter("error")
sys.path.insert(0, sys.argv[1])
import grpc, grpc.aio
from aliases_mesh import *
from aliases_pb2 import Message

NAMES = {
    "Asked": ["SayHello", "sayHello", "alreadyLower", "AlreadyLower", "_Underscore", "_underscore"],
    "NotAsked": ["SayHello", "sayHello"],
}

class Asked(AskedServicer):
    def SayHello(self, request, context): return Message()
    def alreadyLower(self, request, context): return Message()
    def _Underscore(self, request, context): return Message()
    def URL(self, request, context): yield from (Message(), Message())
    def Import(self, request_iterator, context):
        assert len(list(request_iterator)) == 2
        return Message()

class NotAsked(NotAskedServicer):
    def SayHello(self, request, context): return Message()

def sync():
    answered = []
    server = grpc.server(ThreadPoolExecutor(2))
    add_AskedServicer_to_server(Asked(), server)
    add_NotAskedServicer_to_server(NotAsked(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        for service, names in NAMES.items():
            for name in names:
                try:
                    channel.unary_unary(
                        f"/golden.aliases.{service}/{name}", Message.SerializeToString, Message.FromString
                    )(Message(), timeout=30)
                    answered.append(f"{service}.{name}")
                except grpc.RpcError as error:
                    assert error.code() is grpc.StatusCode.UNIMPLEMENTED, error
        for name in ("URL", "uRL"):
            call = channel.unary_stream(
                f"/golden.aliases.Asked/{name}", Message.SerializeToString, Message.FromString
            )
            assert len(list(call(Message(), timeout=30))) == 2
        for name in ("Import", "import"):
            call = channel.stream_unary(
                f"/golden.aliases.Asked/{name}", Message.SerializeToString, Message.FromString
            )
            call(iter([Message(), Message()]), timeout=30)
    server.stop(None).wait()
    return answered

async def aio():
    answered = []
    server = grpc.aio.server()
    add_AskedServicer_to_server(Asked(), server)
    add_NotAskedServicer_to_server(NotAsked(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        for service, names in NAMES.items():
            for name in names:
                try:
                    await channel.unary_unary(
                        f"/golden.aliases.{service}/{name}", Message.SerializeToString, Message.FromString
                    )(Message(), timeout=30)
                    answered.append(f"{service}.{name}")
                except grpc.RpcError as error:
                    assert error.code() is grpc.StatusCode.UNIMPLEMENTED, error
    await server.stop(None)
    return answered

expected = [
    "Asked.SayHello", "Asked.sayHello", "Asked.alreadyLower", "Asked._Underscore", "NotAsked.SayHello"
]
assert sync() == expected, sync()
assert asyncio.run(aio()) == expected
"""


def test_servers_answer_to_an_rpcs_own_name_and_the_aliases_asked_for(site: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CALLS, str(site)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr


PROTO = """\
syntax = "proto3";
import "dubbo_mesh/v1/options.proto";
message M {{}}
service S {{
  option (dubbo_mesh.v1.service) = {{ {option} }};
  rpc Call(M) returns (M);
}}
"""
OPTION = 'aliases: "lower-first"'


@pytest.mark.parametrize(
    ("parameter", "option", "config", "expected"),
    [
        ("", "", "", False),
        ("aliases=lower-first", "", "", True),
        ("", OPTION, "", True),
        ("", "", '["lower-first"]', True),
        ("", "", "[]", False),
        ("", OPTION, "[]", False),
        ("aliases=lower-first", OPTION, "[]", False),
        ("aliases=lower-first", OPTION, '["lower-first", "lower-first"]', True),
    ],
)
def test_precedence(parameter: str, option: str, config: str, expected: bool, tmp_path: Path) -> None:
    parameters = [parameter] if parameter else []
    if config:
        file = tmp_path / "mesh.toml"
        file.write_text(f"services.S.aliases = {config}\n")
        parameters.append(f"config={file}")
    got = generate_proto(PROTO.format(option=option), tmp_path, ",".join(parameters))
    assert got.error == ""
    assert ('aliases=("call",)' in got.files["test_mesh.py"]) == expected


def assign(*rpcs: str) -> list[tuple[str, ...]]:
    return aliases.assign([(rpc, (number,)) for number, rpc in enumerate(rpcs)], ["lower-first"], str)


@pytest.mark.parametrize(
    ("rpc", "expected"),
    [("SayHello", ("sayHello",)), ("sayHello", ()), ("URL", ("uRL",)), ("X", ("x",)), ("_X", ()), ("x1", ())],
)
def test_lower_first(rpc: str, expected: tuple[str, ...]) -> None:
    assert assign(rpc) == [expected]


@pytest.mark.parametrize("rpcs", [("SayHello", "sayHello"), ("sayHello", "SayHello")])
def test_an_alias_that_is_another_rpc_is_refused_whichever_comes_first(rpcs: tuple[str, str]) -> None:
    with pytest.raises(GenerationError, match=r"would both be served as 'sayHello'"):
        assign(*rpcs)
