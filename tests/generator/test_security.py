"""Nothing in a request can put code into the output or crash the plugin."""

from __future__ import annotations

import keyword
import random
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import black
import pytest
from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest, CodeGeneratorResponse
from google.protobuf.descriptor_pb2 import FileDescriptorProto, MethodOptions
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from protoc_gen_dubbo_mesh.plugin import run
from protoc_gen_dubbo_mesh.protoc.request import MalformedRequestError
from tests.generator.accounting import account_for, check_comments
from tests.generator.goldens import CASES

CODE = ['"""', "'''", "\\", '\\"', "\n", "\r", "\0", "\x0c", "\u2028", "\x85", "\ufeff", "\u202e", "\t", " "]
CODE_WORDS = [
    "import os; os.abort()",
    "#",
    "{{ 7 * 7 }}",
    "{% raw %}",
    "$",
    "`",
    "];",
    "),",
    "=",
    "\\N{BULLET}",
    "%s",
]

texts = st.lists(st.one_of(st.sampled_from([*CODE, *CODE_WORDS]), st.text(max_size=20)), max_size=8).map(
    "".join
)
identifiers = st.one_of(
    st.sampled_from(
        [
            *keyword.kwlist,
            *keyword.softkwlist,
            "__init__",
            "__mangled",
            "_",
            "__",
            "str",
            "grpc",
            "dubbo_mesh",
        ]
    ),
    st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,30}", fullmatch=True),
    st.integers(31, 120).map(lambda length: "N" + "a" * length),
)
names = st.one_of(identifiers, texts)
file_names = st.one_of(
    st.lists(identifiers, min_size=1, max_size=3).map(lambda parts: "/".join(parts) + ".proto"), texts
)
parameters = st.one_of(
    st.just(""),
    st.sampled_from(
        ["api=sync", "api=async", "imports=relative", "import_prefix=a.b", "app=demo,port=1", "version=1.0"]
    ),
    texts,
)

LEVELS = MethodOptions.IdempotencyLevel.values()
DAMAGED = {"comments", "config", "cross_import", "proto_options", "service_config", "error_option_app"}

COMPILER = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@st.composite
def requests(draw: st.DrawFn, names: st.SearchStrategy[str], file_names: st.SearchStrategy[str]) -> Any:
    """Requests that a compiler could send, and others."""
    file = FileDescriptorProto(
        name=draw(file_names),
        package=draw(st.one_of(st.just(""), st.lists(names, min_size=1, max_size=3).map(".".join))),
        syntax="proto3",
    )
    prefix = f".{file.package}." if file.package else "."
    messages = draw(st.lists(names, min_size=1, max_size=3, unique=True))
    for message in messages:
        file.message_type.add(name=message).nested_type.add(name=draw(names))
    types = [prefix + message.name for message in file.message_type]
    types += [f"{prefix}{message.name}.{message.nested_type[0].name}" for message in file.message_type]
    locations = file.source_code_info.location
    for head in (12, 2):
        locations.add(path=(head,), span=(0, 0, 0), leading_comments=draw(texts))
    for service_name in draw(st.lists(names, min_size=1, max_size=3, unique=True)):
        index = len(file.service)
        service = file.service.add(name=service_name)
        service.options.deprecated = draw(st.booleans())
        locations.add(path=(6, index), span=(index, 0, 0), leading_comments=draw(texts))
        for rpc in draw(st.lists(names, max_size=3, unique=True)):
            path = (6, index, 2, len(service.method))
            locations.add(
                path=path, span=(index, 0, 0), leading_comments=draw(texts), trailing_comments=draw(texts)
            )
            service.method.add(
                name=rpc,
                input_type=draw(st.sampled_from(types)),
                output_type=draw(st.sampled_from(types)),
                client_streaming=draw(st.booleans()),
                server_streaming=draw(st.booleans()),
                options=MethodOptions(
                    deprecated=draw(st.booleans()), idempotency_level=draw(st.sampled_from(LEVELS))
                ),
            )
    return CodeGeneratorRequest(file_to_generate=[file.name], proto_file=[file], parameter=draw(parameters))


def answer(data: bytes) -> CodeGeneratorResponse:
    """The plugin's response; any exception except the one for malformed input is a bug."""
    result = run(BytesIO(data))
    assert all(warning.isprintable() for warning in result.warnings)
    response = CodeGeneratorResponse.FromString(b"".join(result.response))
    assert response.error.isprintable()
    assert not (response.error and response.file)
    return response


@COMPILER
@given(requests(names, file_names))
def test_any_request_gives_accounted_code_or_one_line(request: CodeGeneratorRequest) -> None:
    for file in answer(request.SerializeToString()).file:
        tree = account_for(file.content)
        check_comments(tree, request.proto_file[0])


@settings(COMPILER, max_examples=50)
@given(requests(identifiers, st.just("test.proto")))
def test_valid_requests_give_code_that_black_would_not_change(request: CodeGeneratorRequest) -> None:
    request.parameter = ""
    response = answer(request.SerializeToString())
    assert not response.error
    [file] = response.file
    check_comments(account_for(file.content), request.proto_file[0])
    assert black.format_str(file.content, mode=black.Mode()) == file.content


@COMPILER
@given(st.binary(max_size=200))
def test_raw_bytes(data: bytes) -> None:
    with suppress(MalformedRequestError):
        answer(data)


@pytest.mark.parametrize("case", [case for case in CASES if case.name in DAMAGED], ids=lambda case: case.name)
def test_damaged_requests(case: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real requests with some changed bytes: wrong names, wrong UTF-8, wrong numbers."""
    from tests.generator.compiling import request

    monkeypatch.chdir(case.directory)
    sound = request(case.descriptors, case.protos, case.parameter)
    chance = random.Random(case.name)
    for _ in range(150):
        damaged = bytearray(sound)
        for _ in range(chance.randint(1, 4)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        try:
            response = answer(bytes(damaged))
        except MalformedRequestError:
            continue
        for file in response.file:
            account_for(file.content)


@COMPILER
@given(texts)
def test_parameters(parameter: str) -> None:
    assume(parameter)
    file = FileDescriptorProto(name="test.proto", syntax="proto3")
    file.service.add(name="Service")
    request = CodeGeneratorRequest(file_to_generate=["test.proto"], proto_file=[file], parameter=parameter)
    assert answer(request.SerializeToString()).error
