"""`--config-dump`: saved answers of sidecars, in all the forms that tools save them in."""

from __future__ import annotations

import gzip
import io
import json
import os
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from dubbo_mesh._doctor.finding import Finding
from tests import sidecars
from tests.doctor import istioctl
from tests.doctor.running import examined, ids, run
from tests.doctor.upstreams import NOBODY, PORT, bad, checks, doctor, service, serving

FAILING = checks(grpc_health_check={"service_name": "nobody"})


RESOURCES = ("config_dump?resource=static_listeners", "config_dump?resource=static_clusters")


class Saved:
    """What a sidecar has answered, and what the doctor found when it could still ask.

    Attributes:
        directory: has files like those of `istioctl bug-report`.
        egress: the address of its listener for outbound calls.
        found: what was found for `APPS`.
    """

    def __init__(self, directory: Path, sidecar: sidecars.Sidecar) -> None:
        self.directory = directory
        self.egress = sidecar.egress
        self.found = doctor(sidecar, *APPS)
        for path in ("config_dump", "config_dump?include_eds", "clusters", "server_info", "certs", "memory"):
            (directory / path).write_text(sidecar.admin.get(f"/{path}"))
        for path in ("clusters?format=json", *RESOURCES):
            (directory / path).write_text(sidecar.admin.get(f"/{path}"))

    def read(self, name: str) -> Any:
        return json.loads((self.directory / name).read_text())

    def lists(self, directory: Path) -> list[Path]:
        return istioctl.save(self.read("config_dump"), self.read("clusters?format=json"), directory)

    def doctor(self, *files: Path, app: str = "failing", **variables: str) -> list[Finding]:
        return examined(
            f"{app}:{PORT}", config_dumps=files, variables={"DUBBO_MESH_EGRESS": self.egress, **variables}
        )


APPS = ("well", "failing", "none", "half")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    with serving() as server:
        services = [
            service("well", server, health_checks=checks(grpc_health_check={})),
            service("failing", server, health_checks=FAILING),
            service("none"),
            service("half", server, NOBODY, health_checks=checks(grpc_health_check={})),
        ]
        with sidecars.Sidecar("consumer", egress=services) as sidecar:
            saved = Saved(tmp_path_factory.mktemp("saved"), sidecar)
    return saved  # and nobody is there any more who could be asked


def told(findings: list[Finding]) -> set[tuple[str, str | None]]:
    """What is said of calls, but for what cannot be known without the sidecar, or is different each time."""
    of_calls = ("headers", "listener", "route", "rpc", "timeout", "retries", "upstream", "draining")
    return {(each.finding, each.id) for each in findings if each.check in of_calls and each.id != "DM241"}


def test_saved_answers_tell_the_same_as_the_sidecar(saved: Saved) -> None:
    files = (saved.directory / "config_dump", saved.directory / "clusters?format=json")
    found = [each for app in APPS for each in saved.doctor(*files, app=app)]
    assert told(found) == told(saved.found)
    assert {each.id for each in found} >= {"DM210", "DM212", "DM217"}
    assert {each.status for each in found if each.check in ("admin", "reachable")} == {"skipped"}


def test_lists_of_istioctl_tell_the_same(saved: Saved, tmp_path: Path) -> None:
    files = saved.lists(tmp_path)
    apps = ("well", "failing", "half")
    found = [each for app in apps for each in saved.doctor(*files, app=app)]
    assert told(found) == {each for each in told(saved.found) if not each[0].startswith("none:")}


def test_lists_of_istioctl_have_no_clusters_without_hosts(saved: Saved, tmp_path: Path) -> None:
    found = saved.doctor(*saved.lists(tmp_path), app="none")
    assert bad(found) == set()
    [upstream] = [each for each in found if each.check == "upstream"]
    assert upstream.status == "skipped"
    assert "leaves out clusters without hosts" in upstream.finding


@pytest.mark.parametrize("left_out", ["listeners", "routes", "clusters", "endpoints"])
def test_what_no_file_has_is_skipped(saved: Saved, tmp_path: Path, left_out: str) -> None:
    files = [each for each in saved.lists(tmp_path) if each.stem != left_out]
    found = saved.doctor(*files)
    if left_out == "routes":  # they are in the listener
        assert bad(found) == {"DM212"}
        return
    assert bad(found) == set()
    assert any(each.status == "skipped" and "add /" in each.finding for each in found), found


def test_parts_of_a_dump(saved: Saved) -> None:
    files = [saved.directory / name for name in ("clusters?format=json", *RESOURCES)]
    found = [each for app in APPS for each in saved.doctor(*files, app=app)]
    assert told(found) == told(saved.found)


def test_a_support_bundle(saved: Saved, tmp_path: Path) -> None:
    """What `istioctl bug-report` saves of each pod. Its `clusters` are lines of text."""
    for name in ("config_dump?include_eds", "clusters", "server_info", "certs", "memory"):
        (tmp_path / name).write_text((saved.directory / name).read_text())
    found = [each for app in APPS for each in saved.doctor(tmp_path, app=app)]
    assert told(found) == told(saved.found)
    assert any(each.check == "admin" and each.status == "ok" for each in found)


def test_a_dump_with_endpoints(saved: Saved) -> None:
    """It has their health, but not its cause. An empty cluster is not in there."""
    file = saved.directory / "config_dump?include_eds"
    [failing] = [each for each in saved.doctor(file) if each.id == "DM212"]
    assert failing.finding.endswith("(unhealthy)")
    assert "DM217" in ids(saved.doctor(file, app="half"))
    assert bad(saved.doctor(file, app="well")) == set()


@pytest.mark.parametrize(
    ("egress", "pod_ip", "forwarded_for", "status"),
    [
        (True, "", "off", "ok"),  # on the loopback address, as the listener is
        (False, "127.0.0.1", "off", "ok"),
        (False, "10.0.0.1", "off", "failed"),
        (False, "", "off", "skipped"),
        (False, "127.0.0.1", "pod", "failed"),  # use_remote_address is on
    ],
)
def test_addresses_are_those_of_variables(
    saved: Saved, egress: bool, pod_ip: str, forwarded_for: str, status: str
) -> None:
    """The address of the machine that the doctor runs on says nothing."""
    variables = {"POD_IP": pod_ip, "DUBBO_MESH_FORWARDED_FOR": forwarded_for}
    target, port = "well", saved.egress.rpartition(":")[2]
    if egress:
        variables["DUBBO_MESH_EGRESS"] = saved.egress
    found = examined(f"{target}:{port}", config_dumps=[saved.directory / "config_dump"], variables=variables)
    assert {each.status for each in found if each.check == "headers"} == {status}


def test_nobody_is_asked(saved: Saved, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> Any:
        raise AssertionError("it connects")

    for name in ("create_connection", "getaddrinfo", "socket"):
        monkeypatch.setattr(f"socket.{name}", refuse)
    assert "DM212" in ids(saved.doctor(saved.directory))
    variables = {"DUBBO_MESH_ADMIN": NOBODY}
    assert bad(examined(config_dumps=[saved.directory], variables=variables)) == set()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_encodings_of_windows(saved: Saved, tmp_path: Path, encoding: str) -> None:
    """`>` in PowerShell writes UTF-16."""
    file = tmp_path / "dump.json"
    file.write_bytes((saved.directory / "config_dump").read_text().encode(encoding))
    assert "DM240" not in ids(saved.doctor(file))


def test_standard_input_and_pipes(saved: Saved, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = (saved.directory / "config_dump?include_eds").read_bytes()
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(content)))
    assert "DM212" in ids(saved.doctor(Path("-")))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    threading.Thread(target=pipe.write_bytes, args=[content], daemon=True).start()
    assert "DM212" in ids(saved.doctor(pipe))


@pytest.mark.finds("DM239")
def test_files_that_cannot_be_read(saved: Saved, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)  # that nobody writes to
    for path in (tmp_path / "missing", tmp_path / "a\0b", Path("/proc/self/mem"), pipe):
        found = examined(config_dumps=[path], timeout=0.5)
        [failed] = [each for each in found if each.status == "failed"]
        assert failed.id == "DM239", failed
        assert str(path) in failed.finding
    assert "DM239" not in ids(saved.doctor(saved.directory / "config_dump"))


NOT_DUMPS: dict[str, bytes] = {
    "empty": b"",
    "blank": b" \n\n ",
    "gzip": gzip.compress(b'{"configs": []}'),
    "zip": b"PK\x03\x04......",
    "binary": bytes(range(256)),
    "yaml": b"- name: virtualOutbound\n  address: {}\n",
    "summary": b"NAME     STATUS\n127.0.0.1:80   HEALTHY\n",
    "deep": b"[" * 1_000_000,
    "half": b'{"configs": [',
    "number": b"5",
    "another document": b'{"kind": "List", "items": []}',
    "no message": b"[1, 2, null]",
    "another list": b'[{"kind": "Pod"}]',
    "an empty list": b"[]",
    "not UTF-8": b'{"configs": "\xff"}',
    "half of UTF-16": b"\xff\xfe{",
    "not UTF-16": b"\xff\xfe\x00\xd8\x00\xd8",
}


@pytest.mark.finds("DM240")
@pytest.mark.parametrize("name", NOT_DUMPS)
def test_files_that_are_no_dumps(saved: Saved, tmp_path: Path, name: str) -> None:
    file = tmp_path / "file"
    file.write_bytes(NOT_DUMPS[name])
    found = saved.doctor(file)
    assert bad(found) == {"DM240"}
    [failed] = [each for each in found if each.id == "DM240"]
    assert failed.finding.startswith(f"{file}: ")
    # The others are read all the same.
    assert bad(saved.doctor(file, saved.directory / "config_dump?include_eds")) == {"DM212", "DM240"}
    assert "DM240" not in ids(saved.doctor(saved.directory / "config_dump"))


def test_a_directory_without_answers(tmp_path: Path) -> None:
    (tmp_path / "readme").write_text("{}")
    assert bad(examined(config_dumps=[tmp_path])) == {"DM240"}


def test_files_that_are_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dubbo_mesh._doctor.sidecar.files.LARGEST", 1 << 20)
    [failed] = [each for each in examined(config_dumps=[Path("/dev/zero")]) if each.status == "failed"]
    assert failed.id == "DM240"


def test_on_the_command_line(saved: Saved) -> None:
    dump = str(saved.directory / "config_dump?include_eds")
    status, findings = run(
        f"failing:{PORT}", "--config-dump", dump, variables={"DUBBO_MESH_EGRESS": saved.egress}
    )
    assert status == 1
    assert "DM212" in {cast("str", each["id"]) for each in findings}
