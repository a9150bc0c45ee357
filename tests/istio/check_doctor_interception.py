"""The doctor beside a sidecar to which all connections are redirected. Run by `make istio`."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from dubbo_mesh._doctor.finding import Finding
from localmesh import ReservedPort
from tests.istio import cluster, interception, resources
from tests.istio.binaries import program
from tests.istio.cluster import Manifest
from tests.istio.conftest import Emit
from tests.istio.faults import OFF, bad
from tests.istio.interception import Interceptor
from tests.istio.many_apps import POD_ADDRESS, Called, ManyApps

CONSUMER = cluster.CONSUMER._replace(interception="REDIRECT")
ADDRESSES = {
    "greeter": "10.96.0.10",
    "unnamed": "10.96.0.11",
    "named-tcp": "10.96.0.12",
    "named-http": "10.96.0.13",
    "headless": "127.0.10.1",  # of a pod
    "unknown": "10.96.0.99",
}
"""What the names of applications stand for."""


class Redirected(ManyApps):
    """A mesh whose consumer dials the Services' own addresses."""

    def __init__(self, *arguments: object, sidecar_port: int, service_port: int, **options: object) -> None:
        super().__init__(*arguments, **options)  # type: ignore[arg-type]
        self._interceptors = {
            (address, service_port): Interceptor((address, service_port), sidecar_port, POD_ADDRESS)
            for address in ADDRESSES.values()
        }
        self._service_port = service_port

    def __exit__(self, *exc_info: object) -> None:
        super().__exit__(*exc_info)
        for each in self._interceptors.values():
            each.close()

    def found(self, app: str) -> set[str]:
        """The ids of errors and warnings."""
        return bad(self.findings(app))

    def findings(self, app: str, *dumps: Path) -> list[Finding]:
        """What the doctor finds; with dumps, without asking the sidecar or opening connections to it."""
        if dumps:
            return self.doctor(app, egress="", dumps=dumps)
        names = {f"{name}.default.svc.cluster.local": ip for name, ip in ADDRESSES.items()}
        with interception.redirected(names, self._interceptors):
            return self.doctor(app, egress="")

    def called(self, app: str, rpc: str = "look", failures: int = 9) -> Called:
        """What becomes of a call that is redirected."""
        interceptor = self._interceptors[ADDRESSES[app], self._service_port]
        return self.call(app, rpc, egress=interceptor.address, failures=failures)


@pytest.fixture(scope="module")
def mesh(emit: Emit, port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redirected]:
    with ReservedPort() as outbound, ReservedPort() as inbound:
        services: list[Manifest] = []
        for app, name in {"unnamed": "", "named-tcp": "tcp", "named-http": "http", "greeter": "grpc"}.items():
            services.append(resources.service(app, port, port_name=name, cluster_ip=ADDRESSES[app]))
            services.append(resources.virtual_service(app, OFF))
        manifests = [
            *services,
            resources.service("headless", port, cluster_ip="None"),
            resources.virtual_service("headless", OFF),
            resources.internal_addresses("consumer", CONSUMER.labels, "10.0.0.0/8"),
            interception.proxy_protocol(CONSUMER.labels),
            resources.no_mutual_tls(),
        ]
        with Redirected(
            emit("emit=python+kubernetes+istio"),
            manifests,
            port,
            tmp_path_factory.mktemp("redirected"),
            consumers=[CONSUMER],
            settings=interception.ports(outbound.number, inbound.number),
            sidecar_port=outbound.number,
            service_port=port,
        ) as started:
            yield started
            assert started.rejections() == []


@pytest.mark.parametrize("app", ["greeter", "unnamed", "headless"])
def test_what_is_well(mesh: Redirected, app: str) -> None:
    assert mesh.called(app).runs == 3
    assert mesh.found(app) == set()


@pytest.mark.finds("DM205")
def test_a_port_for_tcp(mesh: Redirected) -> None:
    assert mesh.called("named-tcp").runs == 1
    assert mesh.found("named-tcp") == {"DM205"}


@pytest.mark.finds("DM211")
def test_a_port_for_http(mesh: Redirected) -> None:
    assert "protocol error" in mesh.called("named-http").details
    assert mesh.found("named-http") == {"DM211"}


@pytest.mark.finds("DM221")
def test_what_the_sidecar_does_not_know(mesh: Redirected) -> None:
    """It is passed on to the address that it was opened to, where nobody is."""
    assert mesh.found("unknown") == {"DM221"}
    assert not mesh.called("unknown").runs


SHAPES = {
    "answers": ("config_dump", "hosts"),
    "istioctl": ("listeners", "routes", "clusters", "endpoints"),
    "istioctl, --eds": ("listeners", "routes", "clusters", "eds"),
}
"""The files of each. The first is what the admin endpoint says, and `istioctl proxy-config all` prints."""


@pytest.fixture(scope="module")
def saved(mesh: Redirected, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with all that can be saved of the consumer's sidecar."""
    directory = tmp_path_factory.mktemp("saved")
    admin = mesh.sidecars["consumer-1"].admin
    dump, hosts = directory / "config_dump.json", directory / "hosts.json"
    dump.write_text(admin.get("/config_dump?include_eds"))
    hosts.write_text(admin.get("/clusters?format=json"))
    subprocess.run([program("proxyconfig"), dump, hosts, directory], check=True)
    return directory


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("app", ["greeter", "unnamed", "named-tcp", "named-http", "headless", "unknown"])
def test_saved_answers_say_the_same(mesh: Redirected, saved: Path, app: str, shape: str) -> None:
    files = [saved / f"{name}.json" for name in SHAPES[shape]]
    assert _essence(mesh.findings(app, *files)) == _essence(mesh.findings(app))


def _essence(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    """What does not depend on where the sidecar's configuration comes from."""
    checks = ("listener", "headers", "route", "rpc", "timeout", "retries", "upstream")
    return [(each.check, each.finding) for each in findings if each.check in checks]
