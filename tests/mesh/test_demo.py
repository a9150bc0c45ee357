"""The demo: its claims hold, each fails without what it is about, and nothing is left behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import localmesh

DEMO = Path(__file__).parents[2] / "examples" / "demo.py"
AUTHORITY = "GreeterStub() calls by mesh name, and Envoy has a virtual host of that name"
BOTH = "Envoy, not the stub, spreads the calls over both providers"
RETRY = "Envoy retries a failing call because the stub asked for it"
CONTEXT = "x-request-id and traceparent go on from a call to the call made while serving it"
REPLACED = "A provider is drained and replaced under load, and no call is lost"


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts the demo; in the end, nothing of it may be left, neither files nor processes.

    It runs without Istio, which most machines have not built; `make istio` tests that claim.
    """
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        started.append(
            subprocess.Popen(
                [sys.executable, "-W", "error", str(DEMO), "--without=istio", *arguments],
                env=os.environ | {"TMPDIR": str(tmp_path)},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        )
        return started[-1]

    yield start
    for each in started:
        assert each.poll() is not None
        each.communicate()
    localmesh.wait_until(lambda: not processes(tmp_path), what="the demo's processes are gone", timeout=2)


def processes(directory: Path) -> list[str]:
    """Command lines of the processes that have to do with a directory."""
    found: list[str] = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = each.read_bytes().replace(b"\0", b" ").decode()
            environment = each.with_name("environ").read_bytes().decode()
        except OSError:  # it has ended
            continue
        if f"{directory}/" in command or f"{directory}/" in environment:
            found.append(command)
    return found


def read_line(run: subprocess.Popen[str]) -> str:
    """The next line of the output."""
    assert run.stdout is not None
    line = run.stdout.readline()
    assert line, "the demo ended"
    return line


def verdicts(output: str) -> dict[str, str]:
    """`ok` or `FAILED` by claim."""
    return {line[8:]: line[:8].strip() for line in output.splitlines() if line.startswith(("ok ", "FAILED "))}


def test_every_claim_holds(demo: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
    run = demo()
    output, errors = run.communicate(timeout=60)
    assert errors == ""
    assert verdicts(output) == dict.fromkeys((AUTHORITY, BOTH, RETRY, CONTEXT, REPLACED), "ok"), output
    assert re.search(r"^skipped Istio.*\n +Istio's control plane is not started$", output, re.MULTILINE)
    assert run.returncode == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("features", "failed"),
    [
        (["drain", "internal", "context"], {REPLACED, RETRY, CONTEXT}),
        (["second-provider"], {BOTH}),
        (["virtual-host"], {AUTHORITY, BOTH, RETRY, CONTEXT}),
    ],
    ids=["drain internal context", "second-provider", "virtual-host"],
)
def test_a_claim_fails_without_what_it_is_about(
    demo: Callable[..., subprocess.Popen[str]], features: list[str], failed: set[str], tmp_path: Path
) -> None:
    rounds = [] if "drain" in features else ["--rounds=0"]
    run = demo(*rounds, *(f"--without={feature}" for feature in features))
    output, errors = run.communicate(timeout=60)
    assert errors == ""
    assert {claim for claim, verdict in verdicts(output).items() if verdict == "FAILED"} == failed, output
    assert run.returncode == 1
    assert list(tmp_path.iterdir()) == []


def test_keep_leaves_the_mesh_up_until_ctrl_c(
    demo: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    run = demo("--rounds=0", "--keep")
    while not (call := read_line(run)).startswith("call the greeter"):
        pass
    client = subprocess.run(
        ["/bin/sh", "-c", call.removeprefix("call the greeter")],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert client.stdout.startswith("Hello, Ada! greeter-"), client.stderr
    assert len(processes(tmp_path)) >= 6

    run.send_signal(signal.SIGINT)
    _, errors = run.communicate(timeout=30)
    assert errors == ""
    assert run.returncode == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_when_the_demo_is_stopped_in_the_middle(
    demo: Callable[..., subprocess.Popen[str]], number: signal.Signals, tmp_path: Path
) -> None:
    run = demo()
    while CONTEXT not in read_line(run):  # the next claim takes some seconds
        pass
    run.send_signal(number)
    _, errors = run.communicate(timeout=30)
    if number == signal.SIGKILL:
        assert run.returncode == -number
    else:
        assert errors == ""
        assert run.returncode == 128 + number
        assert list(tmp_path.iterdir()) == []
