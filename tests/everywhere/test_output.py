"""The output depends on the protos and parameters only; standard output carries the response only."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest, CodeGeneratorResponse
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from protoc_gen_dubbo_mesh.project.sources import proto_path
from tests.everywhere.samples import (
    FILES,
    GRPC_TOOLS,
    MODULES,
    PLUGIN,
    PROTOS,
    exercised,
    generate,
    run,
    written,
)


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return generate(tmp_path_factory.mktemp("output"))


@pytest.fixture(scope="module")
def request_(tmp_path_factory: pytest.TempPathFactory) -> CodeGeneratorRequest:
    """What protoc asks the plugin."""
    described = tmp_path_factory.mktemp("request") / "descriptors"
    run(
        *GRPC_TOOLS,
        *("--include_imports", "--include_source_info", f"--descriptor_set_out={described}"),
        *(f"-I{PROTOS}", f"-I{proto_path()}", *FILES),
    )
    files = FileDescriptorSet.FromString(described.read_bytes()).file
    return CodeGeneratorRequest(file_to_generate=FILES, proto_file=files)


def test_there_is_a_module_for_each_file_with_services(output: dict[str, bytes]) -> None:
    assert list(output) == [f"{module.replace('.', '/')}.py" for module in MODULES]


def test_the_order_of_the_files_does_not_matter(output: dict[str, bytes], tmp_path: Path) -> None:
    for number, files in enumerate(itertools.permutations(FILES)):
        if number % 5 == 0:
            assert generate(tmp_path / str(number), files=files) == output


def test_one_run_for_each_file_gives_what_one_for_all_gives(output: dict[str, bytes], tmp_path: Path) -> None:
    for file in FILES:
        generate(tmp_path, files=[file])
    assert written(tmp_path) == output


@pytest.mark.parametrize("seed", ["0", "1", "4242"])
def test_the_hash_seed_does_not_matter(output: dict[str, bytes], tmp_path: Path, seed: str) -> None:
    assert generate(tmp_path, env={"PYTHONHASHSEED": seed}) == output


@pytest.mark.parametrize("name", ["C", "POSIX", "en_US.ISO-8859-1", "tr_TR.UTF-8"])
def test_the_locale_does_not_matter(output: dict[str, bytes], tmp_path: Path, name: str) -> None:
    assert generate(tmp_path, env={"LC_ALL": name, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}) == output


def test_it_needs_no_home_and_writes_nothing_beside_its_output(
    output: dict[str, bytes], tmp_path: Path
) -> None:
    """Not even root can make a directory below /dev/null."""
    nowhere: dict[str, str] = dict.fromkeys(
        ("HOME", "TMPDIR", "XDG_CACHE_HOME", "BLACK_CACHE_DIR"), "/dev/null/nowhere"
    )
    assert generate(tmp_path, env=nowhere) == output


def test_paths_may_hold_spaces(output: dict[str, bytes], tmp_path: Path) -> None:
    protos = tmp_path / "my protos"
    protos.symlink_to(PROTOS, target_is_directory=True)
    plugin = tmp_path / "my plugins" / "the plugin"
    plugin.parent.mkdir()
    plugin.symlink_to(PLUGIN)
    config = tmp_path / "my config.toml"
    config.write_text('[services."shop.v1.Stock"]\napp = "stock"\n')

    with_config = generate(tmp_path / "my output", protos=protos, plugin=plugin, parameter=f"config={config}")

    assert with_config.keys() == output.keys()
    changed = with_config["shop/v1/stock_mesh.py"]
    assert changed.replace(b'    app="stock",\n', b"") == output["shop/v1/stock_mesh.py"]


def test_what_is_generated_works(output: dict[str, bytes], tmp_path: Path) -> None:
    again = generate(tmp_path, kinds=["python", "dubbo-mesh"])
    assert again == output
    assert exercised(sys.executable, tmp_path) == 4 * 7


@pytest.mark.parametrize(
    "command", [[str(PLUGIN)], [sys.executable, "-m", "protoc_gen_dubbo_mesh"]], ids=["script", "python -m"]
)
def test_standard_output_is_the_response_alone(
    request_: CodeGeneratorRequest, output: dict[str, bytes], command: list[str]
) -> None:
    done = subprocess.run(command, input=request_.SerializeToString(), capture_output=True, check=True)
    response = CodeGeneratorResponse.FromString(done.stdout)
    assert {file.name: file.content.encode() for file in response.file} == output
    assert response.SerializeToString(deterministic=True) == done.stdout
    assert done.stderr == b""


def test_warnings_go_to_standard_error(request_: CodeGeneratorRequest) -> None:
    hidden = CodeGeneratorRequest.FromString(request_.SerializeToString())
    for file in hidden.proto_file:
        if file.name == "billing/invoices.proto":
            file.name = "types/invoices.proto"
    hidden.file_to_generate[:] = ["types/invoices.proto"]

    done = subprocess.run([PLUGIN], input=hidden.SerializeToString(), capture_output=True, check=True)

    assert b"warning: " in done.stderr
    response = CodeGeneratorResponse.FromString(done.stdout)
    assert response.SerializeToString(deterministic=True) == done.stdout
    assert [file.name for file in response.file] == ["types/invoices_mesh.py"]
