"""Only parts of a request are read, with messages of our own."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest
from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pb2 import DESCRIPTOR as DESCRIPTOR_PROTO
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from protoc_gen_dubbo_mesh.plugin import run
from protoc_gen_dubbo_mesh.protoc import descriptors_pb2
from protoc_gen_dubbo_mesh.protoc.request import MalformedRequestError
from tests.generator.compiling import generate_proto
from tests.generator.test_process import protoc, tree

OURS = descriptors_pb2.DESCRIPTOR.message_types_by_name


def _theirs(name: str) -> Descriptor:
    """The message of descriptor.proto of which ours has a part."""
    messages = DESCRIPTOR_PROTO.message_types_by_name
    return messages["SourceCodeInfo"].nested_types_by_name[name] if name == "Location" else messages[name]


@pytest.mark.parametrize("name", OURS)
def test_fields_are_those_of_descriptor_proto(name: str) -> None:
    theirs = _theirs(name).fields_by_name
    for field in OURS[name].fields:
        if field.name == "mesh":
            assert field.number == 53110
            continue
        their = theirs[field.name]
        assert their.number == field.number
        if field.name != "path":  # which is declared as bytes
            assert their.is_repeated == field.is_repeated


def test_a_comment_that_is_not_utf_8_is_kept_as_far_as_it_can_be_read(tmp_path: Path) -> None:
    protos, out = tmp_path / "protos", tmp_path / "out"
    protos.mkdir()
    out.mkdir()
    text = 'syntax = "proto3";\n// Größe.\nmessage M {}\n// Grüße.\nservice S { rpc Do(M) returns (M); }\n'
    (protos / "test.proto").write_bytes(text.encode("latin-1"))
    done = protoc(protos, out)
    assert (done.returncode, done.stderr) == (0, b"")
    assert '    """Gr\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}e."""\n' in tree(out)["test_mesh.py"]


def test_an_option_in_pieces_is_one_option(tmp_path: Path) -> None:
    """protoc serializes each statement separately."""
    text = """
    syntax = "proto3";
    import "dubbo_mesh/v1/options.proto";
    message M {}
    service Greeter {
      rpc Greet(M) returns (M) {
        option (dubbo_mesh.v1.method).timeout = { seconds: 2 };
        option (dubbo_mesh.v1.method).retry.attempts = 3;
        option (dubbo_mesh.v1.method).retry.grpc_on = UNAVAILABLE;
      }
    }
    """
    generated = generate_proto(text, tmp_path)
    assert not generated.error
    [content] = generated.files.values()
    assert 'timeout=2.0, max_retries=2, retry_grpc_on=("unavailable",)' in " ".join(content.split())


def test_comments_and_lines_of_services_and_rpcs_with_large_numbers(tmp_path: Path) -> None:
    """Numbers in paths and spans are varints, which have more than one byte from 128 on."""
    services = "".join(f"// Service {number}.\nservice S{number} {{}}\n" for number in range(200))
    rpcs = "".join(f"  // Rpc {number}.\n  rpc R{number}(M) returns (M);\n" for number in range(400))
    head = 'syntax = "proto3"; import "dubbo_mesh/v1/options.proto";\n'
    text = f"{head}{services}message M {{}}\nservice Last {{\n{rpcs}"
    [content] = generate_proto(text + "}\n", tmp_path).files.values()
    for comment in ("Service 199.", "Rpc 399."):
        assert content.count(f'"""{comment}"""') == 4
    wrong = "rpc R(M) returns (M) { option (dubbo_mesh.v1.method).timeout.seconds = -1; }\n}\n"
    error = generate_proto(text + wrong, tmp_path).error
    assert error.startswith(f"test.proto:{text.count(chr(10)) + 1}: ")


def test_comments_of_services_between_messages(tmp_path: Path) -> None:
    """Blocks of messages are skipped, and services between them could be too."""
    rows = ["".join(f"message {row}{number} {{ string a = 1; }}\n" for number in range(50)) for row in "AB"]
    text = (
        f'syntax = "proto3";\n{rows[0]}// The package.\npackage test;\n{rows[1]}'
        "// The service.\nservice S {\n  // The rpc.\n  rpc Do(A1) returns (B1);\n}\n"
    )
    [content] = generate_proto(text, tmp_path).files.values()
    for comment, times in {"The package.": 1, "The service.": 4, "The rpc.": 4}.items():
        assert content.count(f'"""{comment}"""') == times


FILE = FileDescriptorProto(name="test.proto", syntax="proto3")
FILE.service.add(name="Greeter")
SOUND = CodeGeneratorRequest(file_to_generate=["test.proto"], proto_file=[FILE]).SerializeToString()


@pytest.mark.parametrize(
    "more",
    [
        b"\x1a\x02\x08\x05",  # compiler_version
        b"\x8a\x01\x03any",  # source_file_descriptors
        # Of kinds that plugin.proto has none of yet: a varint, and fixed sizes.
        b"\xa0\x06\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\xa1\x06" + bytes(8),
        b"\xa5\x06" + bytes(4),
    ],
    ids=lambda more: more.hex(),
)
def test_other_fields_are_ignored(more: bytes) -> None:
    alone = b"".join(run(BytesIO(SOUND)).response)
    assert b"GreeterStub" in alone
    assert b"".join(run(BytesIO(more + SOUND)).response) == alone
    assert b"".join(run(BytesIO(SOUND + more)).response) == alone


def test_fields_may_come_in_any_order() -> None:
    names = CodeGeneratorRequest(file_to_generate=["test.proto"]).SerializeToString()
    assert SOUND.startswith(names)
    swapped = SOUND.removeprefix(names) + names
    assert run(BytesIO(swapped)) == run(BytesIO(SOUND))


@pytest.mark.parametrize(
    "wrong",
    [
        b"\x7a",  # a length is missing
        b"\x7a\x05abc",  # the value is cut short
        b"\x7a\xff\xff\xff\xff\xff\xff\xff\xff\x7f",  # larger than any message
        b"\xff" * 20,  # a number without an end
        b"\xa3\x06",  # a group
        b"\x02\x00",  # field 0
        b"\x12\x01\xff",  # a parameter that is not UTF-8
        b"\x7a\x02\x0a\x05",  # a file that is none
    ],
    ids=lambda wrong: wrong.hex(),
)
def test_malformed_requests_are_refused(wrong: bytes) -> None:
    with pytest.raises(MalformedRequestError, match=r"^standard input is not a CodeGeneratorRequest$"):
        run(BytesIO(SOUND + wrong))
