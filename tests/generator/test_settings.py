"""Sources of configuration, and their precedence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from protoc_gen_dubbo_mesh import parameters
from protoc_gen_dubbo_mesh.errors import GenerationError
from protoc_gen_dubbo_mesh.policy import config_file, service_config
from protoc_gen_dubbo_mesh.policy.config import Config
from protoc_gen_dubbo_mesh.policy.envoy_headers import arguments
from protoc_gen_dubbo_mesh.policy.model import NO_IDENTITY, NO_POLICY, CallPolicy, Identity, Retry
from protoc_gen_dubbo_mesh.policy.provenance import Layer
from protoc_gen_dubbo_mesh.policy.service_config import ServiceConfig
from protoc_gen_dubbo_mesh.policy.toml_lines import TomlFile
from protoc_gen_dubbo_mesh.project.sources import proto_path
from protoc_gen_dubbo_mesh.protoc.request import OPTIONS_FILE
from tests.generator.compiling import generate_proto


def parse(text: str, tmp_path: Path) -> Config:
    path = tmp_path / "mesh.toml"
    path.write_text(text, encoding="utf-8")
    return config_file.read(str(path))


def identity(config: Config, service: str) -> Identity:
    merged = NO_IDENTITY
    for layer in config.identity(service):
        merged = merged.with_defaults(layer.values)
    return merged


def call_policy(config: Config | ServiceConfig, service: str, method: str) -> CallPolicy:
    found = config.call_policy(service, method)
    merged = NO_POLICY
    for layer in (found,) if isinstance(found, Layer) else found or ():
        merged = merged.with_defaults(layer.values)
    return merged


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ("3", 3.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ('"500ms"', 0.5),
        ('"3s"', 3.0),
        ('"2m"', 120.0),
        ('"1.5h"', 5400.0),
    ],
)
def test_durations(given: str, seconds: float, tmp_path: Path) -> None:
    read = parse(f"[services.S.defaults]\ntimeout = {given}\n", tmp_path)
    assert call_policy(read, "S", "m").timeout == seconds


@pytest.mark.parametrize("given", ["-1", '"-1s"', '"1"', '"1 s"', '"s"', "true", "[]", "nan", "inf"])
def test_malformed_durations(given: str, tmp_path: Path) -> None:
    with pytest.raises(GenerationError, match=r"mesh.toml:[12]: .*timeout"):
        parse(f"[services.S.defaults]\ntimeout = {given}\n", tmp_path)


def test_exact_names_win_over_globs_and_longer_globs_over_shorter_ones(tmp_path: Path) -> None:
    read = parse(
        """
        [services."*"]
        app = "star"
        namespace = "star"
        port = 1
        [services."a.*"]
        app = "glob"
        namespace = "glob"
        [services."a.B"]
        app = "exact"
        """,
        tmp_path,
    )
    assert identity(read, "a.B") == Identity("exact", "glob", 1)
    assert identity(read, "a.C") == Identity("glob", "glob", 1)
    assert identity(read, "b.B") == Identity("star", "star", 1)


def test_a_name_with_brackets_is_exact_before_it_is_a_glob(tmp_path: Path) -> None:
    read = parse('[services."a.[BC]"]\napp = "either"\n', tmp_path)
    assert identity(read, "a.C").app == "either"
    assert identity(read, "a.[BC]").app == "either"


def test_methods_win_over_defaults_of_more_exact_services(tmp_path: Path) -> None:
    read = parse(
        """
        [services."a.*".methods."get*"]
        timeout = 1
        [services."a.*".methods.getAll]
        timeout = 2
        per_try_timeout = 0.5
        [services."a.B".defaults]
        timeout = 9
        decorator_operation = "b"
        """,
        tmp_path,
    )
    assert call_policy(read, "a.B", "getOne") == CallPolicy(timeout=1.0, decorator_operation="b")
    assert call_policy(read, "a.B", "getAll") == CallPolicy(
        timeout=2.0, per_try_timeout=0.5, decorator_operation="b"
    )
    assert call_policy(read, "a.B", "put") == CallPolicy(timeout=9.0, decorator_operation="b")
    assert call_policy(read, "b.B", "put") is NO_POLICY


def test_globs_are_case_sensitive(tmp_path: Path) -> None:
    assert identity(parse('[services."A.*"]\napp = "a"\n', tmp_path), "a.B") == Identity()


@pytest.mark.parametrize(
    ("text", "key", "line"),
    [
        ('[services."a.B"]\napp = "x"\nport = 1\n', ("services", "a.B", "port"), 3),
        ('[services."a.B"]\nport = 1\n[services.C]\nport = 2\n', ("services", "C", "port"), 4),
        ("services = { S = { port = 0 } }\n", ("services", "S", "port"), 1),
        ('[services]\n"a.B".port = 0\n', ("services", "a.B", "port"), 2),
        ("[services.S]\n[services.S.defaults]\nretry = {\n", ("services", "S", "defaults", "retry", "on"), 3),
        ("# services.S\n\n[ services . S ]\n\tport=0\n", ("services", "S", "port"), 4),
        ("", ("services",), 0),
        ('[a]\nx = """\n[b]\ny = 1\n"""\ny = 2\n', ("a", "y"), 6),
        ("[a]\nx = '''\n[b]\n'''''\ny = 2\n", ("a", "y"), 5),
        ('[a]\nx = [\n  ["b"],\n  [1], # ]\n]\ny = 2\n', ("a", "y"), 6),
        ("[a]\nx = {b = [{c = 1}],\n d = {e = 1}\n}\ny = 2\n", ("a", "x", "d", "e"), 3),
        ("# \u2028\n[a]\ny = '\x85'\nz = 2\n", ("a", "z"), 4),
        ('[a."b=c"]\n"d=\\u0065" = 1\n\'f"\' = 2\n', ("a", "b=c", "d=e"), 2),
        ('[[a]]\nb.c = 1\nb . "d.e" = 2\n[[a]]\nf = 1e3\n', ("a", "b", "d.e"), 3),
        ('[[a]]\nb.c = 1\n[[a]]\nf = 1979-05-27 07:32:00Z\ng="#"\n', ("a", "g"), 5),
    ],
)
def test_where(text: str, key: tuple[str, ...], line: int) -> None:
    assert TomlFile("c.toml", text).where(key) == (f"c.toml:{line}" if line else "c.toml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"\n[services.S]\nport = {'9' * 5000}\n", "mesh.toml:3: a number has too many digits"),
        (f"x = {'[' * 5000}{']' * 5000}", "mesh.toml: values are nested too deeply"),
    ],
)
def test_toml_beyond_the_limits_of_python(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(GenerationError, match=message):
        parse(text, tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f'{{"methodConfig": [\n{{"timeout": {"9" * 5000}}}]}}', "grpc.json:2: a number has too many digits"),
        ("[" * 100_000 + "]" * 100_000, "grpc.json: values are nested too deeply"),
        (
            '{"methodConfig": [],\n"x": {"a": 1,\n"\\u0061": 2}}',
            "grpc.json:3: 'a' is set twice in one object: remove one",
        ),
        (
            '{"methodConfig": [],\n"methodConfig": []}',
            "grpc.json:2: 'methodConfig' is set twice in one object: remove one",
        ),
    ],
)
def test_refused_json(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "grpc.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(GenerationError, match=re.escape(message)):
        service_config.read(str(path))


def test_byte_order_marks_are_left_out(tmp_path: Path) -> None:
    read = parse('\ufeff[services.S]\r\napp = "a"\r\n', tmp_path)
    assert identity(read, "S") == Identity(app="a")
    assert read.identity("S")[0].place.origin("app").where.endswith("mesh.toml:2")
    path = tmp_path / "grpc.json"
    path.write_text('\ufeff{"methodConfig": [{"name": [{}], "timeout": "4s"}]}', encoding="utf-8")
    assert call_policy(service_config.read(str(path)), "S", "m").timeout == 4


def test_defaults_are_merged_field_by_field_and_within_retry() -> None:
    more = CallPolicy(timeout=1.0, retry=Retry(attempts=2))
    less = CallPolicy(timeout=2.0, per_try_timeout=0.5, retry=Retry(attempts=5, on=("reset",)))
    assert more.with_defaults(less) == CallPolicy(
        timeout=1.0, per_try_timeout=0.5, retry=Retry(attempts=2, on=("reset",))
    )


def test_the_whole_precedence(tmp_path: Path) -> None:
    config_file = tmp_path / "mesh.toml"
    config_file.write_text("[services.S.methods.both]\ntimeout = 1\n", encoding="utf-8")
    grpc_file = tmp_path / "grpc.json"
    grpc_file.write_text('{"methodConfig": [{"name": [{}], "timeout": "4s"}]}', encoding="utf-8")
    proto = """\
syntax = "proto3";
import "dubbo_mesh/v1/options.proto";
message M {}
service S {
  option (dubbo_mesh.v1.service) = { defaults { timeout { seconds: 3 } } };
  rpc both(M) returns (M) { option (dubbo_mesh.v1.method) = { timeout { seconds: 2 } }; }
  rpc option(M) returns (M) { option (dubbo_mesh.v1.method) = { timeout { seconds: 2 } }; }
  rpc byDefault(M) returns (M);
}
service T {
  rpc grpc(M) returns (M);
}
"""
    parameter = f"config={config_file},service_config={grpc_file}"
    content = generate_proto(proto, tmp_path, parameter).files["test_mesh.py"]
    timeouts = [line.strip() for line in content.splitlines() if "timeout=" in line]
    assert timeouts == [f"envoy=dubbo_mesh.EnvoyHeaders(timeout={seconds}.0)," for seconds in (1, 2, 3, 4)]


def test_the_most_specific_entry_of_a_grpc_config_counts_alone(tmp_path: Path) -> None:
    path = tmp_path / "grpc.json"
    path.write_text(
        '{"methodConfig": [{"name": [{}], "timeout": "1s"},'
        ' {"name": [{"service": "S"}], "timeout": "2.5s"},'
        ' {"name": [{"service": "S", "method": "m"}]}]}',
        encoding="utf-8",
    )
    read = service_config.read(str(path))
    assert call_policy(read, "S", "m") == NO_POLICY
    assert call_policy(read, "S", "n") == CallPolicy(timeout=2.5)
    assert call_policy(read, "T", "m") == CallPolicy(timeout=1.0)
    assert read.warnings == ()
    assert read.unmatched({"S": ["n"]}) == [
        f"{path}:1: S/m is not in the files of this run: correct the name, unless another run has it"
    ]


@pytest.mark.parametrize(
    "content", ["[]", '{"methodConfig": {}}', '{"methodConfig": [1]}', "\ud800", "[" * 100_000]
)
def test_malformed_grpc_configs(content: str, tmp_path: Path) -> None:
    path = tmp_path / "grpc.json"
    path.write_bytes(content.encode("utf-8", "surrogatepass"))
    with pytest.raises(GenerationError):
        service_config.read(str(path))


@pytest.mark.parametrize(
    "content", ["services = 1", "partial = 1", "\ud800", "a.b = 1", "[services.S]\nmethods = 1"]
)
def test_malformed_configs(content: str, tmp_path: Path) -> None:
    path = tmp_path / "mesh.toml"
    path.write_bytes(content.encode("utf-8", "surrogatepass"))
    with pytest.raises(GenerationError):
        config_file.read(str(path))


def test_no_parameters() -> None:
    assert parameters.parse("") == parameters.Parameters()


def test_parameters() -> None:
    parsed = parameters.parse("app=demo,namespace=prod,port=50051,version=1.0,group=a=b,api=sync,emit=python")
    assert parsed.policy.identity == Identity("demo", "prod", 50051, "1.0", "a=b")
    assert (parsed.python.api, parsed.emit) == ("sync", ("python",))


def test_one_attempt_means_no_retry() -> None:
    assert arguments(CallPolicy(retry=Retry(attempts=1))) == {"max_retries": 0}


COPIED = """\
syntax = "proto3";
import "IMPORTED";
message M {}
service S {
  option (dubbo_mesh.v1.service) = { app: "copied" };
  rpc call(M) returns (M);
}
"""


def copy_options(to: Path, old: str = "", new: str = "") -> None:
    to.parent.mkdir(parents=True)
    text = (proto_path() / OPTIONS_FILE).read_text(encoding="utf-8")
    assert old in text
    to.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_options_of_a_copy_that_is_imported_from_elsewhere_are_read(tmp_path: Path) -> None:
    copy = f"third_party/{OPTIONS_FILE}"
    copy_options(tmp_path / copy)
    [content] = generate_proto(COPIED.replace("IMPORTED", copy), tmp_path).files.values()
    assert 'app="copied"' in content


def test_a_field_that_only_a_copy_has_is_not_ignored(tmp_path: Path) -> None:
    copy_options(
        tmp_path / OPTIONS_FILE, "message ServiceOptions {", "message ServiceOptions { string new = 99;"
    )
    text = COPIED.replace("IMPORTED", OPTIONS_FILE).replace('"copied"', '"copied" new: "x"')
    generated = generate_proto(text, tmp_path)
    assert generated.error.startswith("test.proto:5: service S: its option sets a field that ")
    assert not generated.files


def test_too_many_attempts(tmp_path: Path) -> None:
    with pytest.raises(GenerationError, match=r"mesh.toml:2: .*retry.attempts must be at most 2147483648$"):
        parse(f"[services.S.defaults]\nretry = {{ attempts = {2**31 + 1} }}", tmp_path)
    assert parse(f"[services.S.defaults]\nretry = {{ attempts = {2**31} }}", tmp_path)
