"""Why a sidecar drops headers, and what else changes them: each cause in one real Envoy, with calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from unittest.mock import patch

import pytest
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
from dubbo_mesh._doctor.finding import Finding
from localmesh import ReservedPort
from tests import sidecars
from tests.calling.echo import EchoStub
from tests.doctor.running import environment, examined
from tests.doctor.upstreams import serving
from tests.sidecars.config import Json, cluster, http_listener, typed

INTERNAL: Json = {
    "internal_address_config": {"cidr_ranges": [{"address_prefix": "127.0.0.0", "prefix_len": 8}]},
}
REMOTE: Json = {**INTERNAL, "use_remote_address": True}

HEADER = "x-envoy-upstream-alt-stat-name"


def mutations(*each: Json) -> Json:
    """A filter that changes headers of requests."""
    package = "envoy.extensions.filters.http.header_mutation.v3"
    config = typed(f"{package}.HeaderMutation", mutations={"request_mutations": list(each)})
    return {"name": "mutate", "typed_config": config}


def lua(script: str) -> Json:
    """A filter that runs a script for each request."""
    code = f"function envoy_on_request(handle) {script} end"
    config = typed("envoy.extensions.filters.http.lua.v3.Lua", default_source_code={"inline_string": code})
    return {"name": "script", "typed_config": config}


def trusting(*proxies: Json) -> Json:
    """A manager that believes `x-forwarded-for` of certain proxies."""
    package = "envoy.extensions.http.original_ip_detection.xff.v3"
    config = typed(f"{package}.XffConfig", xff_trusted_cidrs={"cidrs": list(proxies)})
    return {**INTERNAL, "original_ip_detection_extensions": [{"name": "xff", "typed_config": config}]}


OTHER = {"header": {"key": "x-other", "value": "1"}}

ELSEWHERE = {"cidr_ranges": [{"address_prefix": "10.0.0.0", "prefix_len": 8}]}

MANAGERS: Mapping[str, Json] = {
    "elsewhere": {"use_remote_address": True, "internal_address_config": ELSEWHERE},
    "remote": REMOTE,
    "forwarded": INTERNAL,
    "hops": {**INTERNAL, "xff_num_trusted_hops": 1},
    "proxies": trusting({"address_prefix": "10.0.0.0", "prefix_len": 8}),
    "own-proxies": trusting({"address_prefix": "127.0.0.0", "prefix_len": 8}),
    "empty": {"internal_address_config": {}},
}
FILTERS: Mapping[str, Sequence[Json]] = {
    "removes": [mutations({"remove": HEADER.title()})],
    "replaces": [mutations({"append": {"header": {"key": HEADER, "value": "nobody"}}})],
    "adds-another": [mutations({"append": OTHER}, {"remove": "x-nothing"})],
    "script": [lua(f'handle:headers():remove("{HEADER}")')],
    "disabled": [{**lua(f'handle:headers():remove("{HEADER}")'), "disabled": True}],
}


class Mesh:
    """An Envoy with a listener for each cause.

    Attributes:
        envoy: the Envoy.
        addresses: where its listeners are, by their names.
    """

    def __init__(self, server: str, stack: ExitStack) -> None:
        names = [*MANAGERS, *FILTERS]
        self.addresses = {name: stack.enter_context(ReservedPort()).address for name in names}
        echo = sidecars.MeshService("echo", port=50051, endpoints=[server])
        listeners = [
            http_listener(
                name,
                self.addresses[name],
                [echo.virtual_host()],
                http_filters=FILTERS.get(name, ()),
                connection_manager=MANAGERS.get(name, REMOTE),
                listener={"drain_type": "MODIFY_ONLY"},
            )
            for name in names
        ]
        self.envoy = stack.enter_context(
            sidecars.StaticEnvoy("headers", listeners, [cluster("echo", [server])])
        )

    def variables(self, listener: str, forwarded_for: str) -> dict[str, str]:
        return {
            "DUBBO_MESH_EGRESS": self.addresses[listener],
            "DUBBO_MESH_ADMIN": self.envoy.admin_address,
            "DUBBO_MESH_FORWARDED_FOR": forwarded_for,
        }

    def doctor(self, listener: str, forwarded_for: str, sent: Sequence[tuple[str, str]]) -> list[Finding]:
        variables = self.variables(listener, forwarded_for)
        found = examined("echo:50051", variables=variables, headers=sent)
        return [each for each in found if each.check == "headers"]

    def obeys(self, listener: str, forwarded_for: str, sent: Sequence[tuple[str, str]]) -> bool:
        """Whether Envoy does what a header asks: to count the call under another name."""
        asked = f"asked-{len(self.envoy.admin.stats('cluster.echo.'))}"
        variables = environment(self.variables(listener, forwarded_for))
        with patch.dict("os.environ", variables, clear=True), EchoStub() as stub:
            headers = dubbo_mesh.EnvoyHeaders(upstream_alt_stat_name=asked)
            stub.unary(StringValue(), timeout=10, envoy=headers, metadata=tuple(sent))
        return any(f".{asked}." in name for name in self.envoy.admin.stats("cluster.echo."))


@pytest.fixture(scope="module")
def mesh() -> Iterator[Mesh]:
    with ExitStack() as stack:
        yield Mesh(stack.enter_context(serving()), stack)


def sending(*values: str) -> Sequence[tuple[str, str]]:
    return [("x-forwarded-for", value) for value in values]


@pytest.mark.parametrize(
    ("listener", "forwarded_for", "sent", "id", "seen"),
    [
        ("remote", "off", (), None, "obeys"),
        ("remote", "127.0.0.1", (), "DM303", "127.0.0.1"),
        pytest.param(
            *("elsewhere", "off", (), "DM302", "127.0.0.1 is not in 10.0.0.0/8"),
            marks=pytest.mark.finds("DM302"),
        ),
        ("forwarded", "off", (), "DM304", "127.0.0.0/8 would count"),
        ("forwarded", "127.0.0.1", (), None, "obeys"),
        pytest.param(
            *("forwarded", "10.0.0.7", (), "DM340", "10.0.0.7 is not in 127.0.0.0/8"),
            marks=pytest.mark.finds("DM340"),
        ),
        pytest.param(
            *("forwarded", "127.0.0.1", sending("127.0.0.1,127.0.0.2"), "DM341", "127.0.0.1,127.0.0.2"),
            marks=pytest.mark.finds("DM341"),
        ),
        ("forwarded", "10.0.0.7", sending("127.0.0.2"), None, "obeys"),
        ("forwarded", "off", sending("127.0.0.2"), None, "obeys"),
        ("forwarded", "off", sending("10.0.0.7", "127.0.0.3"), None, "obeys"),
        pytest.param(
            *("forwarded", "off", sending("localhost"), "DM342", "localhost"),
            marks=pytest.mark.finds("DM342"),
        ),
        ("forwarded", "off", sending("127.0.0.1:80"), "DM342", "127.0.0.1:80"),
        pytest.param(
            *("hops", "127.0.0.1", (), "DM343", "xff_num_trusted_hops"), marks=pytest.mark.finds("DM343")
        ),
        pytest.param(
            *("proxies", "127.0.0.1", (), "DM344", "xff_trusted_cidrs"), marks=pytest.mark.finds("DM344")
        ),
        ("own-proxies", "127.0.0.1", (), None, "obeys"),
        ("empty", "10.0.0.7", (), None, "obeys"),
        ("empty", "8.8.8.8", (), "DM340", "8.8.8.8 is not in 10.0.0.0/8"),
    ],
)
def test_headers_count_as_the_doctor_says(
    mesh: Mesh, listener: str, forwarded_for: str, sent: Sequence[tuple[str, str]], id: str | None, seen: str
) -> None:
    (found,) = mesh.doctor(listener, forwarded_for, sent)
    assert found.id == id
    assert found.status == ("ok" if id is None else "failed")
    assert seen in found.finding
    assert mesh.obeys(listener, forwarded_for, sent) == (id is None)


@pytest.mark.parametrize(
    ("listener", "id", "obeyed"),
    [
        pytest.param("removes", "DM347", False, marks=pytest.mark.finds("DM347")),
        ("replaces", "DM347", False),
        ("adds-another", None, True),
        pytest.param("script", "DM346", False, marks=pytest.mark.finds("DM346")),
        ("disabled", None, True),
    ],
)
def test_filters_change_headers_as_the_doctor_says(
    mesh: Mesh, listener: str, id: str | None, obeyed: bool
) -> None:
    found = mesh.doctor(listener, "off", ())
    assert [each.id for each in found] == [None, *([] if id is None else [id])]
    assert id is None or (listener in found[1].finding)
    assert mesh.obeys(listener, "off", ()) == obeyed
