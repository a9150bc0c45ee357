"""The command line: what counts, what is ignored, explained and waited for."""

from __future__ import annotations

import signal
import subprocess

import pytest

import dubbo_mesh
import localmesh
from dubbo_mesh.__main__ import main
from dubbo_mesh._doctor.catalogue import CATALOGUE, nearest
from tests.calling.echo import EchoServicer
from tests.doctor.running import COMMAND, environment, run, run_here

WARNED = {
    "DUBBO_MESH_ADMIN": "off",
    "DUBBO_MESH_DIRECT": "echo=127.0.0.1:1",
}  # which sidecar mode does not use
FAILED = {"DUBBO_MESH_ADMIN": "off", "DUBBO_MESH_MOD": "direct"}


class TestStatus:
    @pytest.mark.parametrize(
        ("variables", "arguments", "status"),
        [
            ({"DUBBO_MESH_ADMIN": "off"}, [], 0),
            ({"DUBBO_MESH_ADMIN": "off"}, ["--fail-on", "warning"], 0),
            (WARNED, [], 0),
            (WARNED, ["--fail-on", "error"], 0),
            (WARNED, ["--fail-on", "warning"], 1),
            (WARNED, ["--fail-on", "warning", "--ignore", "DM103"], 0),
            (FAILED, [], 1),
            (FAILED, ["--ignore", "DM103"], 1),
            (FAILED, ["--ignore", "dm102"], 0),
            (FAILED | WARNED, ["--fail-on", "warning", "--ignore", "DM103, 102"], 0),
            (FAILED | WARNED, ["--fail-on", "warning", "--ignore", "DM102"], 1),
        ],
    )
    def test_it_is_that_of_what_counts(
        self, variables: dict[str, str], arguments: list[str], status: int
    ) -> None:
        assert run_here(*arguments, variables=variables)[0] == status

    def test_what_is_ignored_is_listed_as_such(self) -> None:
        _, findings = run("--ignore", "DM102", variables=FAILED)
        (ignored,) = [each for each in findings if each["id"] == "DM102"]
        assert (ignored["status"], ignored["severity"]) == ("skipped", "error")
        assert ignored["finding"].startswith("ignored: DUBBO_MESH_MOD is set")


class TestArguments:
    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (
                ["doctor", "--ignore", "DM999"],
                "no problem 'DM999': dubbo-mesh explain lists all",
            ),
            (["doctor", "--ignore", "DM101,DN302"], "no problem 'DN302': did you mean DM302?"),
            (["doctor", "--explain", "x"], "argument --explain: there is no problem 'X'"),
            (["explain", "DM3"], "argument ID: there is no problem 'DM3': did you mean DM301?"),
            (["explain", "DM1O1"], "no problem 'DM1O1': did you mean DM1"),
            (["explain", "x\x1b[31m" + "y" * 10_000], "there is no problem 'X\\x1b[31MYYYY"),
            (["doctor", "--fail-on", "info"], "argument --fail-on: invalid choice"),
            (["doctor", "--wait", "0"], "argument --wait: must be a number of seconds above 0"),
            (["doctor", "--wait", "nan"], "argument --wait: must be a number of seconds above 0"),
            (["doctor", "--timeout", "never"], "argument --timeout: must be a number of seconds"),
            (
                ["doctor", "--call-anyway", "--wait=9"],
                "--wait: not allowed with argument --call-anyway",
            ),
            (["doctor", "--header", "x"], "argument --header: must be NAME=VALUE"),
            (["doctor", "--js"], "unrecognized arguments: --js"),
            ([], "the following arguments are required: COMMAND"),
        ],
    )
    def test_a_wrong_one_is_one_line(
        self, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(arguments) == 2
        out, error = capsys.readouterr()
        assert out == ""
        assert said in error
        assert error.count("\n") == 1
        assert error[:-1].isprintable()
        assert len(error) < 300

    def test_the_nearest_id_is_of_the_same_hundred(self) -> None:
        assert nearest("DM299") == max(id for id in CATALOGUE if id < "DM3")
        assert nearest("DM900") is None
        assert nearest("retries") is None
        assert nearest("٣٠١") is None


class TestExplain:
    @pytest.mark.parametrize("command", [["explain"], ["doctor", "--explain"]])
    def test_it_says_what_is_known(self, command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        assert main([*command, "dm301"]) == 0
        assert capsys.readouterr().out == (
            f"DM301  {CATALOGUE['DM301'].title}\n"
            "\n"
            "  severity  error\n"
            "  check     headers\n"
            f"  why       {CATALOGUE['DM301'].why}\n"
            f"  remedy    {CATALOGUE['DM301'].remedy}\n"
            "  docs      docs/findings.md#dm301\n"
        )

    def test_several_at_once(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["explain", "DM102", "101,102"]) == 0
        titles = [line for line in capsys.readouterr().out.splitlines() if line.startswith("DM")]
        assert titles == [f"{id}  {CATALOGUE[id].title}" for id in ("DM102", "DM101")]

    def test_without_an_id_all_are_listed(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["explain"]) == 0
        out = capsys.readouterr().out
        assert [line.split()[0] for line in out.splitlines() if line.startswith("  ")] == sorted(CATALOGUE)
        assert all(problem.title in out for problem in CATALOGUE.values())


class TestWaiting:
    @staticmethod
    def start(*arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*COMMAND, "doctor", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment({"DUBBO_MESH_ADMIN": "off", "DUBBO_MESH_PROBES": "off"}),
        )

    def test_it_ends_once_all_is_well(self) -> None:
        with localmesh.ReservedPort() as port:
            address = port.address
            with self.start("--server", address, "--wait", "60") as waiting:
                assert waiting.stderr is not None
                first = waiting.stderr.readline()
                assert first.startswith(f"waiting: DM401 {address}: ")
                reuse = [("grpc.so_reuseport", 1)]
                with dubbo_mesh.Server(
                    EchoServicer(), address=address, options=reuse, sidecar="off", drain=0
                ):
                    out, error = waiting.communicate(timeout=60)
        assert waiting.returncode == 0
        assert f"health       {address}: SERVING" not in out
        assert "health       SERVING" in out
        assert out.count("nothing is wrong") == 1
        assert all(line.startswith("waiting: ") for line in error.splitlines())

    def test_it_reports_what_is_still_wrong_in_the_end(self) -> None:
        with (
            localmesh.ReservedPort() as nobody,
            self.start("--server", nobody.address, "--wait", "0.1", "--json") as done,
        ):
            out, error = done.communicate(timeout=60)
        assert done.returncode == 1
        assert out.count('"DM401"') == 1
        assert error.count("waiting: ") <= 2

    @pytest.mark.parametrize("arguments", [["missing_mesh"], ["--ignore", "DM401"]])
    def test_it_does_not_wait_for_what_cannot_change(self, arguments: list[str]) -> None:
        """For a target that is none; or while nothing counts."""
        with (
            localmesh.ReservedPort() as nobody,
            self.start("--server", nobody.address, "--wait", "86400", *arguments) as done,
        ):
            out, error = done.communicate(timeout=60)
        assert done.returncode == (0 if "--ignore" in arguments else 1)
        assert error == ""
        assert "DM401" in out

    @pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    def test_it_can_be_ended(self, sent: signal.Signals, status: int) -> None:
        with (
            localmesh.ReservedPort() as nobody,
            self.start("--server", nobody.address, "--wait", "60") as waiting,
        ):
            assert waiting.stderr is not None
            assert waiting.stderr.readline().startswith("waiting: ")
            waiting.send_signal(sent)
            out, error = waiting.communicate(timeout=60)
        assert (waiting.returncode, out) == (status, "")
        assert all(line.startswith("waiting: ") for line in error.splitlines())
