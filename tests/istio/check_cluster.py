"""What a real API server and the real istiod make of manifests. Run by `make istio`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from localmesh import wait_until
from tests.istio import wrong_manifests
from tests.istio.api_server import ApiServer
from tests.istio.binaries import DEFINITIONS
from tests.istio.conftest import StandIn
from tests.istio.istiod import Istiod
from tests.istio.wrong_manifests import Wrong


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An API server that has the definitions of Istio's and the Gateway API's resources."""
    with ApiServer(tmp_path_factory.mktemp("server")) as server:
        server.define(DEFINITIONS)
        yield server


@pytest.fixture(scope="module")
def istiod(server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Istiod]:
    assert server.kubectl("create", "namespace", "istio-system").returncode == 0
    with Istiod(server, tmp_path_factory.mktemp("istiod")) as istiod:
        yield istiod


@pytest.fixture
def webhook(server: ApiServer, istiod: Istiod, tmp_path: Path) -> Iterator[None]:
    """The API server asks istiod about each resource."""
    file = tmp_path / "webhook.json"
    file.write_text(json.dumps(istiod.webhook()))
    server.apply("-f", file)
    # The API server takes some time to notice.
    probe = tmp_path / "probe.yaml"
    probe.write_text((wrong_manifests.DIRECTORY / "vs-no-action.yaml").read_text())
    wait_until(lambda: "denied the request" in server.try_out(probe).stderr, what="the webhook is asked")
    yield
    server.kubectl("delete", "-f", file)


class TestApiServer:
    @pytest.mark.parametrize(
        "wrong", wrong_manifests.for_check("apiserver"), ids=lambda wrong: wrong.file.stem
    )
    def test_refuses_mistakes(self, wrong: Wrong, server: ApiServer) -> None:
        assert server.try_out(wrong.file).returncode != 0, wrong.mistake


class TestIstiod:
    def test_finds_what_the_api_server_does_not(self, server: ApiServer, webhook: None) -> None:
        for wrong in wrong_manifests.for_check("istio"):
            if "apiserver" not in wrong.caught_by:
                done = server.try_out(wrong.file)
                # Some mistakes are warned of only.
                assert "denied the request" in done.stderr or "Warning:" in done.stderr, wrong

    def test_accepts_routes(self, server: ApiServer, istiod: Istiod, stand_in: StandIn) -> None:
        for file in stand_in("service", "gateway"):
            server.apply("-f", file)
        for kind, name in (("grpcroute", "greeter"), ("httproute", "greeter-timeouts")):
            conditions = wait_until(partial(_conditions, server, kind, name), what=f"{name} has a status")
            assert conditions["Accepted"] == conditions["ResolvedRefs"] == "True"


def _conditions(server: ApiServer, kind: str, name: str) -> dict[str, str]:
    """What is said of a route, for its one parent."""
    parents = server.get(kind, name).get("status", {}).get("parents", [])
    return {each["type"]: each["status"] for parent in parents for each in parent["conditions"]}
