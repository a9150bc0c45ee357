"""The commands: statuses, output, and what is written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from protoc_gen_dubbo_mesh.rules.dialects import DIALECTS
from tests.rules.recorded import rules

RULE = """\
configVersion: v3.0
scope: service
force: true
enabled: true
key: com.acme.OrderService
conditions:
  - method=place => zone=east
"""
WITH_ARGUMENTS = RULE + "  - arguments[0]=vip => zone=west\n"
WORLD = """\
service: com.acme.OrderService
application: orders
instances:
  - {name: east-1, address: "10.3.0.1:50051", params: {zone: east}}
  - {name: west-1, address: "10.3.0.2:50051", params: {zone: west}}
requests:
  - {name: place, method: place, consumer: {application: web}}
  - {name: vip, method: read, arguments: [vip], consumer: {application: web}}
"""
HOSTS = ("--app", "com.acme.OrderService=orders")


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "rule.yaml").write_text(RULE)
    (tmp_path / "arguments.yaml").write_text(WITH_ARGUMENTS)
    (tmp_path / "broken.yaml").write_text("conditions:\n\t- a => b\n")
    (tmp_path / "world.yaml").write_text(WORLD)
    return tmp_path


class TestCheck:
    def test_says_a_line_for_each_statement(self, here: Path) -> None:
        found = rules("check", "arguments.yaml", directory=here)
        assert found.status == 1
        lines = found.out.splitlines()
        assert lines[5] == "arguments.yaml:7  exact        method=place => zone=east"
        assert lines[6] == "arguments.yaml:8  cannot       arguments[0]=vip => zone=west"
        assert lines[7].startswith("    arguments[0]: ")
        assert "7 lines: 6 exact, 1 cannot" in lines
        assert lines[-1].endswith(": zone: east")

    def test_is_fine_if_all_lines_can_be_translated(self, here: Path) -> None:
        assert rules("check", "rule.yaml", directory=here).status == 0

    def test_prints_a_document(self, here: Path) -> None:
        found = rules("check", "arguments.yaml", "--json", directory=here).document
        assert found["version"] == 1
        assert found["dubbo"] == {"name": "java-3.3", "release": "Dubbo 3.3.5"}
        assert found["summary"] == {"exact": 6, "inactive": 0, "approximate": 0, "cannot": 1}
        assert found["statements"][-1] | {"remarks": ...} == {
            "file": "arguments.yaml",
            "line": 8,
            "column": 5,
            "text": "arguments[0]=vip => zone=west",
            "verdict": "cannot",
            "remarks": ...,
        }
        assert found["problems"] == []

    def test_has_status_2_for_errors_in_files(self, here: Path) -> None:
        found = rules("check", "rule.yaml", "broken.yaml", directory=here)
        assert found.status == 2
        assert "broken.yaml:2:1: a tab cannot indent YAML" in found.err

    def test_has_status_2_for_a_file_that_is_not_there(self, here: Path) -> None:
        found = rules("check", "gone.yaml", directory=here)
        assert found.status == 2
        assert "gone.yaml" in found.err


class TestTheVersion:
    @pytest.mark.parametrize("name", DIALECTS)
    def test_is_named(self, name: str, here: Path) -> None:
        found = rules("convert", "rule.yaml", *HOSTS, "--dubbo", name, "-o", "out", directory=here)
        assert found.err.startswith(f"rules are read as {DIALECTS[name].release} reads them ({name})")
        assert name in (here / "out/orders.yaml").read_text()

    def test_is_that_of_java_by_default_and_said_to_be(self, here: Path) -> None:
        found = rules("explain", "rule.yaml", "--world", "world.yaml", "--json", directory=here)
        assert found.err.startswith("rules are read as Dubbo 3.3.5 reads them (java-3.3, the default)")

    def test_must_be_known(self, here: Path) -> None:
        found = rules("check", "rule.yaml", "--dubbo", "java-1", directory=here)
        assert found.status == 2
        assert "java-3.3" in found.err


class TestConvert:
    def test_writes_a_file_for_each_application(self, here: Path) -> None:
        found = rules("convert", "rule.yaml", "--world", "world.yaml", "-o", "out", directory=here)
        assert found.status == 0
        assert "wrote out/orders.yaml" in found.out
        assert [path.name for path in (here / "out").iterdir()] == ["orders.yaml"]

    def test_names_what_it_wrote_in_json(self, here: Path) -> None:
        found = rules("convert", "rule.yaml", *HOSTS, "--json", "-o", "out", directory=here)
        assert found.document["files"] == ["out/orders.yaml"]
        assert found.document["labels"] == {"orders": {"zone": ["east"]}}

    def test_writes_nothing_while_a_line_cannot_be_translated(self, here: Path) -> None:
        found = rules("convert", "arguments.yaml", *HOSTS, "-o", "out", directory=here)
        assert found.status == 1
        assert "--keep-going" in found.err
        assert not (here / "out").exists()

    def test_leaves_such_lines_out_if_it_is_told_to(self, here: Path) -> None:
        found = rules("convert", "arguments.yaml", *HOSTS, "--keep-going", "-o", "out", directory=here)
        assert found.status == 1
        assert "arguments[0]" not in (here / "out/orders.yaml").read_text().split("---", 1)[1]

    def test_writes_nothing_if_a_file_has_errors(self, here: Path) -> None:
        found = rules(
            *("convert", "rule.yaml", "broken.yaml", *HOSTS, "--keep-going", "-o", "out"), directory=here
        )
        assert found.status == 2
        assert not (here / "out").exists()

    def test_needs_to_know_who_provides_a_service(self, here: Path) -> None:
        found = rules("convert", "rule.yaml", "-o", "out", directory=here)
        assert found.status == 1
        assert "--app com.acme.OrderService=APPLICATION" in found.out

    def test_replaces_its_own_files(self, here: Path) -> None:
        for _ in range(2):
            assert rules("convert", "rule.yaml", *HOSTS, "-o", "out", directory=here).status == 0

    def test_does_not_replace_those_of_others(self, here: Path) -> None:
        (here / "out").mkdir()
        (here / "out/orders.yaml").write_text("# mine\n")
        found = rules("convert", "rule.yaml", *HOSTS, "-o", "out", directory=here)
        assert found.status == 2
        assert "out/orders.yaml: not written by this command" in found.err
        assert (here / "out/orders.yaml").read_text() == "# mine\n"
        assert rules("convert", "rule.yaml", *HOSTS, "--force", "-o", "out", directory=here).status == 0
        assert (here / "out/orders.yaml").read_text() != "# mine\n"

    def test_changes_nothing_if_one_file_cannot_be_written(self, here: Path) -> None:
        (here / "two.yaml").write_text(RULE.replace("OrderService", "Stock"))
        (here / "out/stock.yaml").mkdir(parents=True)
        found = rules(
            *("convert", "rule.yaml", "two.yaml", *HOSTS, "--app", "com.acme.Stock=stock", "-o", "out"),
            directory=here,
        )
        assert found.status == 2
        assert "stock.yaml" in found.err
        assert not (here / "out/orders.yaml").exists()

    def test_does_not_write_below_a_file(self, here: Path) -> None:
        found = rules("convert", "rule.yaml", *HOSTS, "-o", "rule.yaml", directory=here)
        assert found.status == 2
        assert (here / "rule.yaml").read_text() == RULE

    @pytest.mark.parametrize("argument", ["--app", "--untagged"])
    def test_refuses_what_is_no_pair(self, argument: str, here: Path) -> None:
        found = rules("convert", "rule.yaml", argument, "orders", "-o", "out", directory=here)
        assert found.status == 2
        assert "must be KEY=VALUE" in found.err


class TestExplain:
    def test_prints_a_line_of_json_for_each_request(self, here: Path) -> None:
        found = rules("explain", "arguments.yaml", "--world", "world.yaml", "--json", directory=here)
        assert found.status == 0
        assert [{**line, "why": ...} for line in found.lines] == [
            {"request": "place", "dubbo": ["east-1"], "istio": ["east-1"], "verdict": "same", "why": ...},
            {"request": "vip", "dubbo": ["west-1"], "istio": None, "verdict": "cannot", "why": ...},
        ]
        assert found.lines[0]["why"] == "decided by arguments.yaml:7"
        assert found.lines[1]["why"].startswith("arguments.yaml:8: arguments[0]=vip => zone=west: ")

    def test_marks_what_differs(self, here: Path) -> None:
        found = rules("explain", "arguments.yaml", "--world", "world.yaml", directory=here)
        assert [line for line in found.out.splitlines() if not line.startswith("      ")] == [
            "   request  Dubbo   Istio   verdict",
            "   place    east-1  east-1  same",
            "!  vip      west-1  ?       cannot",
        ]

    def test_takes_one_request_from_the_command_line(self, here: Path) -> None:
        found = rules(
            *("explain", "rule.yaml", "--world", "world.yaml", "--method", "place", "--app", "web"),
            *("--header", "lane=blue", "--label", "zone=west", "--json"),
            directory=here,
        )
        assert [(line["request"], line["dubbo"]) for line in found.lines] == [("place", ["east-1"])]

    def test_makes_instances_up_if_there_is_no_world(self, here: Path) -> None:
        found = rules("explain", "rule.yaml", "--method", "place", "--json", directory=here)
        assert found.lines[0]["dubbo"] == ["zone=east"]
        found = rules("explain", "rule.yaml", "--method", "read", "--json", directory=here)
        assert found.lines[0]["dubbo"] == ["others", "zone=east"]

    def test_needs_requests(self, here: Path) -> None:
        found = rules("explain", "rule.yaml", directory=here)
        assert found.status == 2
        assert "--world" in found.err
        assert "--method" in found.err

    def test_takes_rules_for_other_services_for_nothing_if_there_are_several(self, here: Path) -> None:
        (here / "other.yaml").write_text(RULE.replace("OrderService", "Stock").replace("east", "west"))
        both = rules("explain", "rule.yaml", "other.yaml", "--world", "world.yaml", "--json", directory=here)
        assert both.lines[0]["dubbo"] == ["east-1"]
        alone = rules("explain", "other.yaml", "--world", "world.yaml", "--json", directory=here)
        assert alone.lines[0]["dubbo"] == alone.lines[0]["istio"] == ["west-1"]

    def test_answers_although_a_file_has_errors(self, here: Path) -> None:
        found = rules("explain", "broken.yaml", "--world", "world.yaml", "--json", directory=here)
        assert found.status == 2
        assert [(line["dubbo"], line["verdict"]) for line in found.lines] == [
            (["east-1", "west-1"], "inactive"),
            (["east-1", "west-1"], "inactive"),
        ]
        assert "broken.yaml:2:1" in found.err


def test_a_parser_of_yaml_is_needed_only_by_these_commands(here: Path) -> None:
    program = """\
import sys
sys.modules["ruamel"] = sys.modules["ruamel.yaml"] = None
from protoc_gen_dubbo_mesh import cli
sys.exit(cli.main(sys.argv[1:]))
"""
    run = [sys.executable, "-c", program]
    helped = subprocess.run([*run, "rules", "check", "--help"], cwd=here, capture_output=True, text=True)
    assert helped.returncode == 0
    checked = subprocess.run([*run, "rules", "check", "rule.yaml"], cwd=here, capture_output=True, text=True)
    assert checked.returncode == 2
    assert checked.stderr.splitlines()[-1] == (
        "a parser of YAML is not installed: pip install 'protoc-gen-dubbo-mesh[rules]'"
    )


def test_the_command_line_loads_no_rules_until_one_runs() -> None:
    program = "import json, sys, protoc_gen_dubbo_mesh.cli; print(json.dumps([*sys.modules]))"
    loaded = json.loads(subprocess.check_output([sys.executable, "-c", program], text=True))
    rooms = {name.split(".")[2] for name in loaded if name.startswith("protoc_gen_dubbo_mesh.rules.")}
    assert rooms == {"command", "commands", "dialects"}
    assert not any(name.startswith("ruamel") for name in loaded)


def test_the_same_rules_become_the_same_files_in_every_run(here: Path) -> None:
    (here / "rule.yaml").write_text(RULE + "  - method=a,b,c,d & application=x,y => lane=q\n")
    program = "import sys; from protoc_gen_dubbo_mesh import cli; sys.exit(cli.main(sys.argv[1:]))"
    files: set[bytes] = set()
    for seed in ("1", "2", "3"):
        command = [sys.executable, "-c", program, "rules", "convert", "rule.yaml", *HOSTS, "-o", seed]
        subprocess.run(command, cwd=here, check=True, env={**os.environ, "PYTHONHASHSEED": seed})
        files.add((here / seed / "orders.yaml").read_bytes())
    assert len(files) == 1
