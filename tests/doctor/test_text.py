"""How findings read: on terminals of any width, in files and pipes, and whatever they quote."""

from __future__ import annotations

import pytest

from dubbo_mesh._command.terminal import has_colours
from dubbo_mesh._doctor.finding import Finding, problem
from dubbo_mesh._doctor.report.text import as_text, summary

PETS = [
    Finding("environment", "ok", "mode sidecar; no variable is set"),
    Finding("dial", "ok", "demo.Pets: 127.0.0.1:15001, :authority pets:80", subject="demo.Pets"),
    Finding("health", "skipped", "no --server was named"),
    Finding("rpc", "ok", "demo.Pets/Feed: 3 s (route), no retries", subject="demo.Pets/Feed"),
    Finding("rpc", "ok", "demo.Pets/Watch: 15 s (route), no retries", subject="demo.Pets/Watch"),
    problem("DM306", "demo.Pets/Watch: cut after 15 s", remedy="set it to 0s", subject="demo.Pets/Watch"),
    Finding("rpc", "ok", "demo.Pets/Walk: 3 s (route), no retries", subject="demo.Pets/Walk"),
    Finding("dial", "ok", "demo.Other: 127.0.0.1:15001", subject="demo.Other"),
    problem("DM306", "demo.Other/Watch: cut after 15 s", remedy="set it to 0s", subject="demo.Other/Watch"),
    problem(
        "DM103",
        "DUBBO_MESH_DIRECT is not used: DUBBO_MESH_MODE is sidecar",
        remedy="to dial its addresses, set DUBBO_MESH_MODE, or DUBBO_MESH_FALLBACK, to direct",
    ),
]


def test_findings_stand_below_what_they_are_about() -> None:
    assert (
        as_text(PETS)
        == """\
this process
  ok       environment  mode sidecar; no variable is set
  skipped  health       no --server was named
  warning  environment  DM103 DUBBO_MESH_DIRECT is not used: DUBBO_MESH_MODE is sidecar
                        -> to dial its addresses, set DUBBO_MESH_MODE, or DUBBO_MESH_FALLBACK, to direct

demo.Pets
  ok       dial         127.0.0.1:15001, :authority pets:80
  ok       rpc          Feed, Walk: 3 s (route), no retries
  ok       rpc          Watch: 15 s (route), no retries
  failed   timeout      DM306 Watch: cut after 15 s
                        -> set it to 0s

demo.Other
  ok       dial         127.0.0.1:15001
  failed   timeout      DM306 Watch: cut after 15 s
                        -> as above

2 errors, 1 warning, 6 ok, 1 skipped. For more: dubbo-mesh explain DM103 DM306"""
    )


def test_a_heading_does_not_name_all_of_many_services() -> None:
    shared = [Finding("headers", "ok", f"s.S{each}: obeyed", subject=f"s.S{each}") for each in range(200)]
    assert as_text(shared).splitlines()[0] == "s.S0, s.S1, s.S2, s.S3, 196 more"
    assert as_text(shared[:5]).splitlines()[0] == "s.S0, s.S1, s.S2, s.S3, s.S4"


def test_what_several_services_share_is_said_once() -> None:
    names = ("a.A", "b.B", "c.C")
    both = [problem("DM303", f"{each}: dropped", remedy="unset it", subject=each) for each in names[:2]]
    findings = [
        *both,
        *(Finding("dial", "ok", f"{each}: 127.0.0.1:15001", subject=each) for each in names),
        Finding("rpc", "ok", "b.B/Get: no timeout", subject="b.B/Get"),
        Finding("rpc", "ok", "a.A/Get: no timeout", subject="a.A/Get"),
        Finding("dial", "ok", "127.0.0.1:15001"),
        Finding("upstream", "ok", "c.C: HTTP/2", subject="c.C"),
    ]
    assert (
        as_text(findings)
        == """\
this process
  ok       dial         127.0.0.1:15001

a.A, b.B
  failed   headers      DM303 dropped
                        -> unset it

a.A, b.B, c.C
  ok       dial         127.0.0.1:15001

a.A
  ok       rpc          Get: no timeout

b.B
  ok       rpc          Get: no timeout

c.C
  ok       upstream     HTTP/2

2 errors, 7 ok. For more: dubbo-mesh explain DM303"""
    )
    assert as_text(findings, width=40).splitlines()[4] == "a.A, b.B"


def test_an_address_is_no_rpc() -> None:
    text = as_text([Finding("health", "ok", "unix:/run/a.sock: SERVING", subject="unix:/run/a.sock")])
    assert text.startswith("unix:/run/a.sock\n  ok       health       SERVING\n")


def test_on_a_terminal_lines_are_wrapped() -> None:
    text = as_text(PETS[-1:], width=80)
    assert (
        text
        == """\
this process
  warning  environment  DM103 DUBBO_MESH_DIRECT is not used: DUBBO_MESH_MODE is
                        sidecar
                        -> to dial its addresses, set DUBBO_MESH_MODE, or
                           DUBBO_MESH_FALLBACK, to direct

1 warning, 0 ok. For more: dubbo-mesh explain DM103"""
    )


def test_on_a_narrow_one_the_text_has_lines_of_its_own() -> None:
    text = as_text(PETS[-1:], width=40)
    assert (
        text
        == """\
this process
  warning  environment
    DM103 DUBBO_MESH_DIRECT is not used:
    DUBBO_MESH_MODE is sidecar
    -> to dial its addresses, set
       DUBBO_MESH_MODE, or
       DUBBO_MESH_FALLBACK, to direct

1 warning, 0 ok. For more: dubbo-mesh
explain DM103"""
    )


@pytest.mark.parametrize("width", [1, 10, 30, 77, 200])
def test_no_word_is_lost_or_broken_at_any_width(width: int) -> None:
    def words(text: str) -> list[str]:
        return text.split()

    assert words(as_text(PETS, width=width)) == words(as_text(PETS))


def test_colours_do_not_move_columns() -> None:
    coloured = as_text(PETS, colours=True)
    assert "\x1b[31mfailed\x1b[0m   timeout" in coloured
    assert "\x1b[33mwarning\x1b[0m  environment" in coloured
    assert "\x1b[1mdemo.Pets\x1b[0m\n" in coloured
    plain = coloured
    for code in ("0", "1", "2", "31", "32", "33"):
        plain = plain.replace(f"\x1b[{code}m", "")
    assert plain == as_text(PETS)


@pytest.mark.parametrize("width", [None, 30, 100])
def test_what_is_quoted_steers_no_terminal(width: int | None) -> None:
    bad = "a\x1b[31m\r\nb\u202ec\ud800\x9b\x00\u2028d"
    text = as_text([Finding("dial", "failed", bad, bad, "DM104", bad)], width=width)
    assert all(line.isprintable() for line in text.split("\n"))
    assert "\\x1b[31m\\r\\nb\\u202ec\\ud800\\x9b\\x00\\u2028d" in text


def test_the_summary_counts() -> None:
    assert summary(PETS[:3]) == "nothing is wrong: 2 ok, 1 skipped"
    assert summary(PETS[5:6]) == "1 error, 0 ok. For more: dubbo-mesh explain DM306"
    info = problem("DM410", "s: does not answer to x", subject="s")
    assert summary([info]) == "nothing is wrong: 0 ok, 1 info"
    assert as_text([info]).startswith("s\n  info     aliases      DM410 does not answer to x\n")


class Stream:
    def __init__(self, terminal: bool) -> None:
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


@pytest.mark.parametrize(
    ("terminal", "variables", "expected"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),
        (True, {"TERM": "dumb"}, False),
        (False, {"FORCE_COLOR": "1"}, True),
        (False, {"FORCE_COLOR": ""}, False),
        (True, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        (True, {"FORCE_COLOR": "1", "TERM": "dumb"}, True),
    ],
)
def test_colours_are_for_terminals_unless_the_environment_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, variables: dict[str, str], expected: bool
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ({"TERM": "xterm"} | variables).items():
        monkeypatch.setenv(name, value)
    stream: object = Stream(terminal)
    assert has_colours(stream) is expected  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
