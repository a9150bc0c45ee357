"""`protoc-gen-dubbo-mesh explain`: what it prints for whole projects."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from protoc_gen_dubbo_mesh.cli import answer
from tests.explain.explaining import FILES, Explaining, line_of
from tests.hooks.samples import below

EXPECTED = Path(__file__).with_name("expected")
GREETER = Path(__file__).parents[2] / "examples" / "greeter"
IN_THE_GREETER = (f"--root={GREETER}", f"--project={GREETER}", "--exclude=frontdesk.proto")


@pytest.mark.parametrize("kind", ["txt", "json"])
@pytest.mark.parametrize("case", ["greeter", "sources", "routes"])
def test_exactly(
    case: str,
    kind: str,
    explain: Explaining,
    pytestconfig: pytest.Config,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arguments = ["--json"] if kind == "json" else []
    if case == "greeter":
        monkeypatch.chdir(GREETER)
        arguments += IN_THE_GREETER
    elif case == "routes":
        explain.write({"pyproject.toml": f'{FILES["pyproject.toml"]}policy = "routes"\n'})
    expected = EXPECTED / f"{case}.{kind}"
    printed = explain.text(*arguments)
    if pytestconfig.getoption("--update-goldens"):
        expected.write_text(printed, encoding="utf-8")
    assert printed == expected.read_text(encoding="utf-8")


def setting(of: dict[str, Any], name: str) -> tuple[Any, str, str | None]:
    return of[name]["value"], of[name]["source"], of[name]["where"]


def test_each_value_has_its_source(explain: Explaining) -> None:
    services = explain.json()["services"]
    orders, stock = services["explained.v1.Orders"], services["explained.v1.Stock"]
    assert orders["where"] == line_of("protos/orders.proto", "service Orders")
    assert stock["where"] == line_of("protos/orders.proto", "service Stock")
    proto = "protos/orders.proto"
    of_orders = {
        "app": ("orders", "option", line_of(proto, '.app = "orders"')),
        "namespace": ("shop", "parameter", line_of("pyproject.toml", "namespace")),
        "port": (50052, "config", line_of("mesh.toml", "port = 50052")),
        "version": ("1.0.0", "config", line_of("mesh.toml", "version =")),
        "group": ("blue", "parameter", line_of("pyproject.toml", "group")),
        "labels": ({"tier": "gold"}, "option", line_of(proto, ".labels =")),
        "aliases": (["lower-first"], "config", line_of("mesh.toml", "aliases =")),
    }
    assert {name: setting(orders["identity"], name) for name in orders["identity"]} == of_orders
    of_stock = {
        **of_orders,
        "app": (None, "default", None),
        "port": (50051, "config", line_of("mesh.toml", "port = 50051")),
        "labels": (None, "default", None),
    }
    assert {name: setting(stock["identity"], name) for name in stock["identity"]} == of_stock

    def policies(service: dict[str, Any], rpc: str) -> dict[str, Any]:
        found = service["rpcs"][rpc]["policies"]
        return {name: setting(found, name) for name in found}

    defaults = {
        "inherit_timeout": (False, "option", line_of(proto, "inherit_timeout")),
        "stream_duration": (60, "option", line_of(proto, "stream_duration")),
        "timeout_alt_response": (False, "config", line_of("mesh.toml", "timeout_alt_response")),
    }
    level = line_of(proto, "NO_SIDE_EFFECTS")
    in_braces = line_of(proto, "(dubbo_mesh.v1.method) = {")
    assert policies(orders, "Place") == {
        **defaults,
        "timeout": (3, "option", line_of(proto, ".timeout = { seconds: 3 }")),
        "retry.attempts": (1, "option", line_of(proto, ".retry.attempts = 1")),
    }
    assert policies(orders, "Find") == {
        **defaults,
        "per_try_timeout": (0.5, "config", line_of("mesh.toml", "per_try_timeout")),
        "decorator_operation": ("find orders", "config", line_of("mesh.toml", "decorator_operation")),
        "upstream_alt_stat_name": ("find", "option", in_braces),
        "retry.attempts": (3, "option", in_braces),
        "retry.grpc_on": (["unavailable"], "idempotency_level", level),
        "retry.on": (["connect-failure", "refused-stream", "reset"], "idempotency_level", level),
    }
    assert setting(orders["rpcs"]["Find"], "idempotency_level") == (
        *("NO_SIDE_EFFECTS", "idempotency_level"),
        level,
    )
    assert policies(orders, "Cancel") == {
        **defaults,
        "timeout": (20, "option", line_of(proto, "seconds: 20")),
        "retry.attempts": (2, "option", line_of(proto, ".retry = { attempts: 2 }")),
        "retry.on": (["connect-failure", "refused-stream"], "default", None),
    }
    assert policies(orders, "Track") == {
        **defaults,
        "timeout": (7, "service config", line_of("grpc.json", '"timeout"')),
        "retry.attempts": (4, "service config", line_of("grpc.json", "maxAttempts")),
        "retry.grpc_on": (["unavailable"], "service config", line_of("grpc.json", "retryableStatusCodes")),
    }
    in_braces = line_of(proto, "(dubbo_mesh.v1.service) = {")
    assert policies(stock, "Count") == {
        "timeout_alt_response": defaults["timeout_alt_response"],
        "timeout": (5, "option", in_braces),
        "per_try_timeout": (1, "option", in_braces),
    }
    assert setting(stock["rpcs"]["Count"], "idempotency_level") == ("IDEMPOTENCY_UNKNOWN", "default", None)


def test_parameters_of_the_command_line_and_of_the_build_hook(explain: Explaining) -> None:
    hook = '\n[tool.hatch.build.hooks.dubbo-mesh.options]\ngroup = "green"\n'
    explain.write({"pyproject.toml": FILES["pyproject.toml"] + hook})
    found = explain.json("Orders/Place", "--option", "namespace=mine")
    identity = found["services"]["explained.v1.Orders"]["identity"]
    assert setting(identity, "namespace") == ("mine", "parameter", "--option")
    last = len((FILES["pyproject.toml"] + hook).splitlines())
    assert setting(identity, "group") == ("green", "parameter", f"pyproject.toml:{last}")
    assert "--option (parameter)" in explain.text("Orders/Place", "--option", "namespace=mine")


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ('[tool.dubbo-mesh]\nroots = ["protos"]\noptions.group = "red"\n', 3),
        ('[tool.dubbo-mesh]\nroots = ["protos"]\noptions = { group = "red" }\n', 3),
        ('[tool.dubbo-mesh]\nroots = ["protos"]\n[tool.dubbo-mesh.options]\n"group" = """\\\n  red"""\n', 4),
        ('tool.dubbo-mesh = { roots = ["protos"], options = { group = "red" } }\n', 1),
    ],
    ids=["dotted", "inline", "over lines", "all in one"],
)
def test_parameters_however_they_are_written(settings: str, line: int, explain: Explaining) -> None:
    explain.write({"pyproject.toml": settings})
    identity = explain.json("Orders")["services"]["explained.v1.Orders"]["identity"]
    assert setting(identity, "group") == ("red", "parameter", f"pyproject.toml:{line}")


def test_places_are_those_that_people_find(
    explain: Explaining, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path / "protos")
    orders = explain.json("--project", "..", "Orders")["services"]["explained.v1.Orders"]
    assert orders["where"] == line_of("protos/orders.proto", "service Orders").removeprefix("protos/")
    where = f"{tmp_path}/{line_of('pyproject.toml', 'group')}"
    assert setting(orders["identity"], "group") == ("blue", "parameter", where)


def test_warnings_are_those_of_generate(
    explain: Explaining, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    explain.write({"protos/unused.proto": 'syntax = "proto3";\nimport "orders.proto";\n'})
    before = below(tmp_path)
    warnings = explain.json()["warnings"]
    text = " ".join(explain.text().split())
    assert below(tmp_path) == before  # nothing is written
    assert answer(["generate"]) == 0
    *generated, _ = capsys.readouterr().err.splitlines()
    assert [line.removeprefix("warning: ") for line in generated] == warnings
    assert len(warnings) == 4
    assert all(warning in text for warning in warnings)


def test_a_service_without_an_app_has_no_address(explain: Explaining) -> None:
    assert explain.json("Stock")["services"]["explained.v1.Stock"]["address"] is None
    assert "  address          none: set app in its option, in a config or as a" in explain.text("Stock")


def test_no_services(explain: Explaining) -> None:
    explain.write({"protos/orders.proto": 'syntax = "proto3";\n', "mesh.toml": "", "grpc.json": "{}"})
    assert explain.text() == "There are no services.\n"
    assert explain.json() == {"services": {}, "warnings": []}


@pytest.mark.parametrize(
    ("files", "arguments", "status"),
    [
        ({}, ["--root=nowhere"], 1),
        ({"protos/orders.proto": "syntax"}, [], 1),
        ({"mesh.toml": "[services.nobody]"}, [], 1),
        ({"protos/orders.proto": FILES["protos/orders.proto"].replace('"orders"', '"No Name"')}, [], 1),
        ({"mesh.toml": "strict = true"}, [], 1),
        ({}, ["--option=colour=red"], 1),
        ({}, ["--colour"], 2),
    ],
)
def test_errors_are_those_of_generate(
    files: dict[str, str],
    arguments: list[str],
    status: int,
    explain: Explaining,
    capsys: pytest.CaptureFixture[str],
) -> None:
    explain.write(files)
    assert explain(*arguments) == status
    assert explain.out == ""
    assert explain.err.count("\n") == 1
    with contextlib.suppress(SystemExit):
        answer(["generate", *arguments])
    assert capsys.readouterr().err == explain.err


@pytest.mark.parametrize(
    ("arguments", "status", "error"),
    [
        (["Order"], 1, "there is no service 'Order'; did you mean Orders?\n"),
        (["Orders/Plaice"], 1, "service explained.v1.Orders has no rpc 'Plaice'; did you mean Place?\n"),
        (["Orders", "Stock"], 2, "protoc-gen-dubbo-mesh: error: unrecognized arguments: Stock: see --help\n"),
    ],
)
def test_wrong_names(arguments: list[str], status: int, error: str, explain: Explaining) -> None:
    assert explain(*arguments) == status
    assert (explain.out, explain.err) == ("", error)


def test_what_would_steer_a_terminal_is_escaped(explain: Explaining) -> None:
    """Names of files may contain anything; TOML and the shell can write it."""
    hostile = "mesh\x1b[31m\u202e.toml"
    explain.write({hostile: FILES["mesh.toml"]})
    text = explain.text("--option", f"config={hostile}", "Orders")
    assert "mesh\\x1b[31m\\u202e.toml:8 (config)" in text
    assert all(char == "\n" or char.isprintable() for char in text)
    port = explain.json("--option", f"config={hostile}", "Orders")["services"]["explained.v1.Orders"][
        "identity"
    ]
    assert port["port"]["where"] == f"{hostile}:8"


def test_on_a_terminal_that_cannot_show_all_characters(explain: Explaining) -> None:
    explain.write({"größe漢.toml": FILES["mesh.toml"]})
    command = [sys.executable, "-m", "protoc_gen_dubbo_mesh", "explain", "--option=config=größe漢.toml"]
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252"}
    done = subprocess.run(command, cwd=explain.project, env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert "größe\\u6f22.toml:8 (config)" in done.stdout.decode("cp1252")


def test_text_fits_a_terminal(explain: Explaining) -> None:
    assert max(map(len, explain.text().splitlines())) <= 80
