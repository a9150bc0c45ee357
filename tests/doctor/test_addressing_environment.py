"""What the doctor says of the process's environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from dubbo_mesh import ConfigurationError
from dubbo_mesh._addressing.environment import Environment
from dubbo_mesh._doctor.addressing import resolv_conf, surroundings
from tests.doctor.running import examined, ids, run

OFF = {"DUBBO_MESH_ADMIN": "off"}
DIRECT = {**OFF, "DUBBO_MESH_MODE": "direct"}


def found(*targets: str, **variables: str) -> set[str]:
    """The ids of what the doctor finds without a sidecar."""
    return ids(examined(*targets, variables={**OFF, **variables}))


@pytest.mark.finds("DM101")
@pytest.mark.parametrize(
    ("name", "value", "good"),
    [
        ("DUBBO_MESH_APP", "ü", "web"),
        ("DUBBO_MESH_MODE", "proxy", "sidecar"),
        ("DUBBO_MESH_EGRESS", "a..b:15000", "127.0.0.1:15001"),
        ("DUBBO_MESH_DIRECT", "nonsense", "echo=127.0.0.1:1"),
        ("DUBBO_MESH_ADMIN", "15000", "off"),
        ("DUBBO_MESH_FORWARDED_FOR", "host", "127.0.0.1"),
        ("DUBBO_MESH_FORWARDED_FOR", "pod", "off"),  # without POD_IP
        ("DUBBO_MESH_FALLBACK_AFTER", "soon", "2"),
        ("DUBBO_MESH_CARRY", "authorization", "x-tenant"),
    ],
)
def test_a_malformed_variable(name: str, value: str, good: str) -> None:
    malformed = examined(variables={**OFF, name: value})
    (finding,) = [each for each in malformed if each.id == "DM101"]
    assert finding.finding.startswith(name)
    with pytest.raises(ConfigurationError):  # as stubs and servers say
        Environment.read({name: value})
    assert "DM101" not in found(**{name: good})


@pytest.mark.finds("DM101")
def test_all_malformed_variables_are_named_and_the_other_checks_run() -> None:
    findings = examined(
        "echo:1",
        variables={**OFF, "DUBBO_MESH_DRAIN": "x", "DUBBO_MESH_APP": "ü", "DUBBO_MESH_EGRESS": "127.0.0.1:1"},
    )
    named = [each.finding.partition(":")[0] for each in findings if each.id == "DM101"]
    assert named == ["DUBBO_MESH_APP", "DUBBO_MESH_DRAIN"]
    assert "DM107" in ids(findings)


@pytest.mark.finds("DM101")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DUBBO_MESH_MODE", "proxy"),
        ("DUBBO_MESH_EGRESS", "x"),
        ("POD_NAMESPACE", "A"),
        ("CLUSTER_DOMAIN", "_"),
    ],
)
def test_without_a_variable_that_decides_nothing_is_said_of_addresses(name: str, value: str) -> None:
    findings = examined("echo:1", variables={**OFF, name: value})
    assert ids(findings) == {"DM101"}
    (dial,) = [each for each in findings if each.check == "dial"]
    assert dial.status == "skipped"
    assert name in dial.finding


def test_a_malformed_variable_that_another_mode_reads_hides_nothing() -> None:
    variables = {
        **OFF,
        "DUBBO_MESH_MODE": "direct",
        "DUBBO_MESH_DIRECT": "echo=127.0.0.1:1",
        "POD_NAMESPACE": "A",
    }
    findings = examined("echo:1", variables=variables)
    assert "DM101" in ids(findings)
    assert [each.status for each in findings if each.check == "dial"] == ["skipped"]  # a Target reads it


@pytest.mark.parametrize("name", ["DUBBO_MESH_ADMIN", "DUBBO_MESH_MODE"])
def test_a_sidecar_of_which_it_is_not_known_where_it_is_is_not_asked(name: str) -> None:
    findings = examined(variables={"DUBBO_MESH_ADMIN": "127.0.0.1:1", name: "x"})
    assert ids(findings) == {"DM101"}
    assert [each.status for each in findings if each.check == "admin"] == ["skipped"]


@pytest.mark.parametrize(
    ("target", "variables", "said"),
    [
        ("echo:1", {}, "the namespace default is assumed"),
        ("echo:1", {"POD_NAMESPACE": "shop"}, "the namespace shop is from POD_NAMESPACE"),
        ("echo.shop:1", {"POD_NAMESPACE": "other"}, "DUBBO_MESH_EGRESS is the sidecar's listener"),
        ("echo.shop:1", {"CLUSTER_DOMAIN": "corp.example"}, "the domain corp.example is from CLUSTER_DOMAIN"),
    ],
)
def test_what_decided_the_address(target: str, variables: dict[str, str], said: str) -> None:
    findings = examined(target, variables={**OFF, "DUBBO_MESH_EGRESS": "127.0.0.1:1", **variables})
    (dial,) = [each for each in findings if each.check == "dial"]
    assert dial.finding.endswith(said)


def test_the_exit_status_and_json_of_a_malformed_environment() -> None:
    status, findings = run(variables={"DUBBO_MESH_DIRECT": "nonsense", "DUBBO_MESH_MODE": "x", **OFF})
    assert status == 1
    assert [each["id"] for each in findings if each["id"]] == ["DM101", "DM101"]


def test_a_variable_with_another_name_is_the_remedy() -> None:
    findings = examined(variables={**OFF, "DUBBO_MESH_FORWARDED_FOR": "pod", "MY_POD_IP": "10.1.2.3"})
    (finding,) = [each for each in findings if each.id == "DM101"]
    assert finding.remedy == "MY_POD_IP is set: should it be called POD_IP?"


@pytest.mark.finds("DM102")
def test_a_variable_that_does_not_exist() -> None:
    assert "DM102" in found(DUBBO_MESH_MOD="direct")
    # What Kubernetes sets for a Service that is called dubbo-mesh-…
    assert "DM102" not in found(DUBBO_MESH_GREETER_SERVICE_HOST="10.1.2.3")


@pytest.mark.finds("DM103")
@pytest.mark.parametrize(
    ("variables", "unused"),
    [
        ({}, True),
        ({"DUBBO_MESH_MODE": "proxyless"}, True),
        ({"DUBBO_MESH_MODE": "direct"}, False),
        ({"DUBBO_MESH_FALLBACK": "direct"}, False),
    ],
)
def test_addresses_of_direct_mode_in_another(variables: dict[str, str], unused: bool) -> None:
    assert ("DM103" in found(DUBBO_MESH_DIRECT="echo=127.0.0.1:1", **variables)) == unused


@pytest.mark.finds("DM108")
def test_nobody_retries_in_direct_mode() -> None:
    findings = examined(variables=DIRECT)
    assert [each.status for each in findings if each.id == "DM108"] == ["ok"]
    assert "DM108" not in found()


@pytest.mark.finds("DM109")
def test_a_fallback_in_a_mode_that_has_none() -> None:
    assert "DM109" in found(DUBBO_MESH_MODE="direct", DUBBO_MESH_FALLBACK="proxyless")
    assert "DM109" not in found(DUBBO_MESH_FALLBACK="proxyless")


@pytest.mark.finds("DM110")
@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({"DUBBO_MESH_MODE": "direct", "DUBBO_MESH_EGRESS": "127.0.0.1:1"}, "DUBBO_MESH_EGRESS"),
        (
            {"DUBBO_MESH_MODE": "proxyless", "DUBBO_MESH_FORWARDED_FOR": "127.0.0.1"},
            "DUBBO_MESH_FORWARDED_FOR",
        ),
        ({"DUBBO_MESH_FALLBACK_AFTER": "2"}, "DUBBO_MESH_FALLBACK_AFTER"),
    ],
)
def test_a_variable_without_effect(variables: dict[str, str], name: str) -> None:
    (finding,) = [each for each in examined(variables={**OFF, **variables}) if each.id == "DM110"]
    assert finding.status == "ok"
    assert finding.finding.startswith(f"{name}: not used")
    others = {**variables, "DUBBO_MESH_MODE": "sidecar", "DUBBO_MESH_FALLBACK": "proxyless"}
    assert "DM110" not in found(**others)


@pytest.mark.finds("DM111")
def test_a_sidecar_whose_admin_endpoint_is_off() -> None:
    assert "DM111" in found(DUBBO_MESH_EGRESS="127.0.0.1:1")
    assert "DM111" not in found()
    reachable = {"DUBBO_MESH_EGRESS": "127.0.0.1:1", "DUBBO_MESH_ADMIN": "127.0.0.1:1"}
    assert "DM111" not in ids(examined(variables=reachable))


@pytest.mark.finds("DM112")
@pytest.mark.parametrize(
    ("variables", "foreign"),
    [
        ({"DUBBO_MESH_FORWARDED_FOR": "203.0.113.7"}, True),
        ({"DUBBO_MESH_FORWARDED_FOR": "203.0.113.7", "POD_IP": "203.0.113.8"}, True),
        ({"DUBBO_MESH_FORWARDED_FOR": "2001:db8::7"}, True),
        ({"DUBBO_MESH_FORWARDED_FOR": "203.0.113.7", "POD_IP": "203.0.113.7"}, False),
        ({"DUBBO_MESH_FORWARDED_FOR": "pod", "POD_IP": "203.0.113.7"}, False),
        ({"DUBBO_MESH_FORWARDED_FOR": "127.0.0.1"}, False),
        ({"DUBBO_MESH_FORWARDED_FOR": "off"}, False),
    ],
)
def test_a_forwarded_for_of_another_host(variables: dict[str, str], foreign: bool) -> None:
    assert ("DM112" in found(**variables)) == foreign


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of a pod: none says anything yet."""
    monkeypatch.setattr(surroundings, "SERVICE_ACCOUNT", tmp_path / "namespace")
    monkeypatch.setattr(resolv_conf, "RESOLV_CONF", tmp_path / "resolv.conf")
    return tmp_path


def search(namespace: str, domain: str) -> str:
    return f"nameserver 10.96.0.10\nsearch {namespace}.svc.{domain} svc.{domain} {domain}\noptions ndots:5\n"


@pytest.mark.finds("DM116")
@pytest.mark.parametrize("source", ["namespace", "resolv.conf"])
def test_a_namespace_that_is_not_this_pods(pod: Path, source: str) -> None:
    egress = {"DUBBO_MESH_EGRESS": "127.0.0.1:1"}
    assert "DM116" not in found("echo:1", **egress)  # where there is no pod, nothing says otherwise

    def write(namespace: str) -> None:
        text = namespace if source == "namespace" else search(namespace, "cluster.local")
        (pod / source).write_text(text)

    write("default")
    assert "DM116" not in found("echo:1", **egress)
    write("shop")
    findings = examined("echo:1", variables={**OFF, **egress, "MY_POD_NAMESPACE": "shop"})
    (finding,) = [each for each in findings if each.id == "DM116"]
    assert "this pod is in shop" in finding.finding
    assert "MY_POD_NAMESPACE" in finding.remedy
    assert "DM116" not in found("echo:1", POD_NAMESPACE="shop", **egress)
    assert "DM116" not in found("echo.default:1", **egress)
    assert "DM116" not in found("echo:1", DUBBO_MESH_MODE="direct", DUBBO_MESH_DIRECT="echo=127.0.0.1:1")


@pytest.mark.finds("DM117")
def test_a_cluster_domain_that_is_not_the_clusters(pod: Path) -> None:
    egress = {"DUBBO_MESH_EGRESS": "127.0.0.1:1", "POD_NAMESPACE": "shop"}
    (pod / "resolv.conf").write_text(search("shop", "corp.example"))
    assert "DM117" in found("echo:1", **egress)
    assert "DM117" in found("echo:1", **egress, CLUSTER_DOMAIN="cluster.local")
    assert "DM117" not in found("echo:1", **egress, CLUSTER_DOMAIN="corp.example")
    assert "DM117" not in found("echo.shop.svc.corp.example:1", **egress)
    (pod / "resolv.conf").write_text("search corp.example\n")  # of an office
    assert "DM117" not in found("echo:1", **egress)
