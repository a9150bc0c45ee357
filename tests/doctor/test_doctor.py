"""`python -m dubbo_mesh doctor`, beside real sidecars and servers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import dubbo_mesh
import localmesh
from tests import sidecars
from tests.calling.echo import EchoServicer

TARGET = "echo.default:50051"


def doctor(*arguments: str, **variables: str) -> tuple[int, dict[str, dict[str, str]]]:
    """Its exit status, and its findings by check: the last of each."""
    status, findings = all_findings(*arguments, **variables)
    return status, {finding["check"]: finding for finding in findings}


def all_findings(*arguments: str, **variables: str) -> tuple[int, list[dict[str, str]]]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DUBBO_MESH_")}
    done = subprocess.run(
        [sys.executable, "-m", "dubbo_mesh", "doctor", "--json", *arguments],
        capture_output=True,
        text=True,
        env=environment | variables,
    )
    assert "Traceback" not in done.stderr
    findings: list[dict[str, str]] = json.loads(done.stdout)
    return done.returncode, findings


def beside(sidecar: sidecars.Sidecar) -> dict[str, str]:
    return {"DUBBO_MESH_EGRESS": sidecar.egress, "DUBBO_MESH_ADMIN": sidecar.admin_address}


@pytest.fixture(scope="module")
def server() -> Iterator[dubbo_mesh.Server]:
    with dubbo_mesh.Server(
        EchoServicer(), address="127.0.0.1:0", sidecar="off", probes="127.0.0.1:0", drain=0
    ) as server:
        yield server


def sidecar(server: dubbo_mesh.Server, *, use_remote_address: bool, internal: list[str]) -> sidecars.Sidecar:
    echo = sidecars.MeshService("echo", port=50051, endpoints=[f"127.0.0.1:{server.ports[0]}"])
    egress = sidecars.Egress([echo], use_remote_address=use_remote_address, internal_addresses=internal)
    return sidecars.Sidecar("consumer", egress=egress)


def test_all_is_well(server: dubbo_mesh.Server) -> None:
    with sidecar(server, use_remote_address=True, internal=["127.0.0.0/8"]) as consumer:
        status, findings = doctor(
            TARGET,
            "--server",
            f"127.0.0.1:{server.ports[0]}",
            "--grace=30",
            **beside(consumer),
            DUBBO_MESH_PROBES=f"127.0.0.1:{server.probes_port}",
        )
    assert status == 0, findings
    well = {check for check, finding in findings.items() if finding["status"] == "ok"}
    assert well >= {"environment", "dial", "reachable", "admin", "headers", "health", "probes", "grace"}
    assert (
        f"{consumer.egress}, :authority echo.default.svc.cluster.local:50051" in findings["dial"]["finding"]
    )


@pytest.mark.finds("DM301")
@pytest.mark.finds("DM302")
@pytest.mark.finds("DM303")
@pytest.mark.finds("DM304")
@pytest.mark.parametrize(
    ("use_remote_address", "internal", "forwarded_for", "remedy"),
    [
        (True, [], "off", "internal_address_config"),
        (True, ["127.0.0.0/8"], "off", None),
        (True, ["127.0.0.0/8"], "127.0.0.1", "set DUBBO_MESH_FORWARDED_FOR to off"),
        (False, [], "127.0.0.1", "internal_address_config"),
        (False, ["127.0.0.0/8"], "off", "set DUBBO_MESH_FORWARDED_FOR to an address"),
        (False, ["127.0.0.0/8"], "10.0.0.1", "add this one"),
        (False, ["127.0.0.0/8"], "127.0.0.1", None),
    ],
)
def test_whether_headers_are_obeyed_is_what_envoy_does(
    server: dubbo_mesh.Server,
    monkeypatch: pytest.MonkeyPatch,
    use_remote_address: bool,
    internal: list[str],
    forwarded_for: str,
    remedy: str | None,
) -> None:
    with sidecar(server, use_remote_address=use_remote_address, internal=internal) as consumer:
        variables = beside(consumer) | {"DUBBO_MESH_FORWARDED_FOR": forwarded_for}
        status, findings = doctor(**variables)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        obeyed = headers_arrive(consumer)

    assert findings["headers"]["status"] == ("ok" if obeyed else "failed")
    assert obeyed == (remedy is None)
    assert (remedy or "") in findings["headers"]["remedy"]
    assert status == (0 if obeyed else 1)


def headers_arrive(consumer: sidecars.Sidecar) -> bool:
    """Whether this sidecar does what a header asks: count the request under a name of the stub's."""
    import grpc
    from google.protobuf.wrappers_pb2 import StringValue

    from tests.calling.echo import EchoStub

    with EchoStub() as stub, pytest.raises(grpc.RpcError):
        stub.unary(StringValue(), timeout=10, envoy=dubbo_mesh.EnvoyHeaders(upstream_alt_stat_name="asked"))
    return any("asked" in name for name in consumer.admin.stats("cluster.echo."))


@pytest.mark.finds("DM101")
def test_a_malformed_variable_is_named() -> None:
    status, findings = doctor(DUBBO_MESH_DIRECT="nonsense")
    assert status == 1
    assert "DUBBO_MESH_DIRECT" in findings["environment"]["finding"]


@pytest.mark.finds("DM102")
@pytest.mark.parametrize(
    ("name", "remedy"), [("DUBBO_MESH_MOD", "did you mean DUBBO_MESH_MODE?"), ("DUBBO_MESH_ZQXJ", "unset it")]
)
def test_a_variable_that_nothing_reads_is_named(name: str, remedy: str) -> None:
    status, findings = all_findings(DUBBO_MESH_ADMIN="off", **{name: "direct"})
    assert status == 1
    read, unknown = (each for each in findings if each["check"] == "environment")
    assert (read["status"], unknown["status"]) == ("ok", "failed")
    assert name not in read["finding"]
    assert name in unknown["finding"]
    assert remedy in unknown["remedy"]


@pytest.mark.finds("DM103")
@pytest.mark.parametrize(("mode", "unused"), [("sidecar", True), ("direct", False)])
def test_addresses_of_direct_mode_that_are_not_used_are_named(mode: str, unused: bool) -> None:
    _, findings = all_findings(
        DUBBO_MESH_ADMIN="off", DUBBO_MESH_MODE=mode, DUBBO_MESH_DIRECT="echo=127.0.0.1:1"
    )
    named = [each for each in findings if each["finding"].startswith("DUBBO_MESH_DIRECT is not used")]
    assert len(named) == unused
    assert not unused or "DUBBO_MESH_MODE" in named[0]["remedy"]


MODULE = """
import dubbo_mesh
from google.protobuf.wrappers_pb2 import StringValue

def method(name, *aliases):
    return dubbo_mesh.Method(f"/demo.Pets/{name}", StringValue, StringValue, aliases=aliases)

class PetsStub(dubbo_mesh.Stub):
    __mesh__ = dubbo_mesh.Service("demo.Pets", *METHODS, app="pets", port=50051)
"""


@pytest.mark.finds("DM410")
@pytest.mark.parametrize(
    ("methods", "unanswered"),
    [
        ("method('Feed'), method('walkAll'), method('Groom', 'groom')", "feed"),
        ("method('Feed'), method('Walk')", "feed, walk"),
        ("method('feed'), method('Groom', 'groom')", None),
    ],
)
def test_dubbo_java_users_are_told_of_aliases(tmp_path: Path, methods: str, unanswered: str | None) -> None:
    (tmp_path / "pets_mesh.py").write_text(MODULE.replace("*METHODS", methods))
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    direct = {"DUBBO_MESH_MODE": "direct", "DUBBO_MESH_DIRECT": "pets=127.0.0.1:9"}
    _, findings = doctor("pets_mesh", PYTHONPATH=path, **direct)
    assert findings["dial"]["finding"].startswith("demo.Pets: 127.0.0.1:9")
    if unanswered is None:
        assert "aliases" not in findings
        return
    assert findings["aliases"]["status"] == "ok"
    assert findings["aliases"]["finding"] == f"demo.Pets does not answer to {unanswered}"
    assert 'aliases = ["lower-first"]' in findings["aliases"]["remedy"]


@pytest.mark.parametrize(
    ("others", "target", "status"),
    [
        ("inherit_timeout=True", None, "skipped"),
        ("inherit_timeout=True, max_retries=1", None, "failed"),
        ("", None, "failed"),
        ("inherit_timeout=True", "echo:50051", "failed"),
    ],
)
def test_headers_count_only_if_stubs_send_some(
    server: dubbo_mesh.Server, tmp_path: Path, others: str, target: str | None, status: str
) -> None:
    """With policy=routes they do not. Of a target that is no module, it is not known."""
    envoy = "dubbo_mesh.Method('/demo.Pets/{}', StringValue, StringValue, envoy=dubbo_mesh.EnvoyHeaders({}))"
    methods = ", ".join(
        [envoy.format("Feed", "timeout=3, inherit_timeout=True"), envoy.format("Walk", others)]
    )
    (tmp_path / "pets_mesh.py").write_text(MODULE.replace("*METHODS", methods))
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    with sidecar(server, use_remote_address=False, internal=[]) as consumer:
        named = [] if target is None else [target]
        _, findings = doctor("pets_mesh", *named, PYTHONPATH=path, **beside(consumer))
    assert findings["headers"]["status"] == status


@pytest.mark.finds("DM107")
@pytest.mark.finds("DM201")
@pytest.mark.finds("DM401")
@pytest.mark.finds("DM404")
def test_nothing_is_there() -> None:
    with localmesh.ReservedPort() as nobody:
        status, findings = doctor(
            TARGET,
            "--server",
            nobody.address,
            DUBBO_MESH_EGRESS=nobody.address,
            DUBBO_MESH_ADMIN=nobody.address,
            DUBBO_MESH_PROBES=nobody.address,
        )
    assert status == 1
    for check in ("reachable", "admin", "health", "probes"):
        assert findings[check]["status"] == "failed"
        assert findings[check]["remedy"]
    assert findings["headers"]["status"] == "skipped"


@pytest.mark.finds("DM106")
def test_a_name_that_nobody_knows() -> None:
    status, findings = doctor(TARGET, CLUSTER_DOMAIN="invalid", DUBBO_MESH_ADMIN="off")
    assert status == 1
    assert "echo.default.svc.invalid" in findings["dns"]["finding"]
    assert "DUBBO_MESH_EGRESS" in findings["dns"]["remedy"]


@pytest.mark.finds("DM105")
def test_direct_mode_without_an_address() -> None:
    status, findings = doctor(TARGET, DUBBO_MESH_MODE="direct", DUBBO_MESH_DIRECT="other=127.0.0.1:1")
    assert status == 1
    assert "DUBBO_MESH_DIRECT has no address for app 'echo'" in findings["dial"]["finding"]


@pytest.mark.finds("DM104")
@pytest.mark.parametrize("target", ["no/target", "Upper:1", "echo:0", "missing_mesh"])
def test_malformed_targets(target: str) -> None:
    status, findings = doctor(target, DUBBO_MESH_ADMIN="off")
    assert status == 1
    assert findings["dial"]["status"] == "failed"
    assert target in findings["dial"]["finding"]


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]"])
def test_probes_on_all_addresses_are_asked_on_this_host(server: dubbo_mesh.Server, host: str) -> None:
    address, probes = f"127.0.0.1:{server.ports[0]}", f"{host}:{server.probes_port}"
    _, findings = doctor("--server", address, DUBBO_MESH_ADMIN="off", DUBBO_MESH_PROBES=probes)
    assert findings["probes"]["status"] == "ok"
    assert findings["health"]["status"] == "ok"
