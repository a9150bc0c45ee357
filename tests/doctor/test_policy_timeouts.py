"""What the doctor says of timeouts, and what a real Envoy does with calls that take too long."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest

from dubbo_mesh import EnvoyHeaders
from tests.doctor.cases import Case, Mesh, Outcome
from tests.sidecars.config import HTTP_OPTIONS, ROUTER, merged

ASKED = EnvoyHeaders(timeout=0.2)
INHERITED = EnvoyHeaders(timeout=0.2, inherit_timeout=True)
LONG = EnvoyHeaders(timeout=20)
LONG_BY_ROUTES = EnvoyHeaders(timeout=20, inherit_timeout=True)
FOREVER = EnvoyHeaders(timeout=0)

NONE = {"timeout": "0s"}
SHORT = {"timeout": "0.2s"}
LONGER_ROUTE = {"timeout": "0.8s"}  # so that a first response arrives, however busy the machine is


def upstream(**options: object) -> dict[str, object]:
    """A cluster with these `HttpProtocolOptions`."""
    return {"typed_extension_protocol_options": {HTTP_OPTIONS: options}}


LASTS = {"common_http_protocol_options": {"max_stream_duration": "0.2s"}}
LASTS_LONGER = {"common_http_protocol_options": {"max_stream_duration": "0.8s"}}

RESPECTING = merged(ROUTER, {"typed_config": {"respect_expected_rq_timeout": True}})

CASES = [
    Case(name="default"),
    Case(name="asked", envoy=ASKED),
    Case(name="asked-forever", envoy=FOREVER, action=SHORT),
    Case(name="asked-more", envoy=EnvoyHeaders(timeout=0.5), action=SHORT),
    Case(name="route", action=SHORT),
    Case(name="no-timeout", action=NONE),
    Case(name="dropped", envoy=LONG, action=SHORT, obeyed=False),
    Case(name="dropped-forever", envoy=FOREVER, action=SHORT, obeyed=False),
    Case(name="dropped-deadline", envoy=ASKED, obeyed=False),
    Case(name="by-routes", envoy=LONG_BY_ROUTES, action=SHORT),
    Case(name="by-routes-same", envoy=INHERITED, action=SHORT),
    Case(name="deadline-obeyed", envoy=INHERITED, action={"timeout": "0s", "max_grpc_timeout": "0s"}),
    Case(name="deadline-capped", envoy=LONG_BY_ROUTES, action={"timeout": "5s", "max_grpc_timeout": "0.2s"}),
    Case(
        name="deadline-offset",
        envoy=EnvoyHeaders(timeout=0.5, inherit_timeout=True),
        action={"max_grpc_timeout": "0s", "grpc_timeout_offset": "0.3s"},
    ),
    Case(name="new-timeouts", action={"timeout": "0.2s", "max_stream_duration": {}}),
    Case(
        name="header-max",
        envoy=INHERITED,
        action={"timeout": "0s", "max_stream_duration": {"grpc_timeout_header_max": "0s"}},
    ),
    Case(
        name="header-max-capped",
        envoy=LONG_BY_ROUTES,
        action={"max_stream_duration": {"grpc_timeout_header_max": "0.2s"}},
    ),
    Case(
        name="header-offset",
        envoy=INHERITED,
        action={
            "max_stream_duration": {"grpc_timeout_header_max": "0s", "grpc_timeout_header_offset": "0.3s"}
        },
    ),
    Case(name="watch", rpc="watch", action=LONGER_ROUTE, obeyed=False),
    Case(name="watch-asked", rpc="watch", action=SHORT),
    Case(name="watch-by-routes", rpc="watch", action=NONE, envoy=EnvoyHeaders(inherit_timeout=True)),
    Case(name="chat", rpc="chat", action=LONGER_ROUTE, obeyed=False),
    Case(name="chat-held", rpc="chat", action=SHORT, obeyed=False),
    Case(name="chat-by-routes", rpc="chat", action=NONE, obeyed=False),
    Case(name="collect", rpc="collect", action=SHORT, obeyed=False),
    Case(name="idle", envoy=LONG, action={"idle_timeout": "0.2s"}),
    Case(name="idle-enough", envoy=ASKED, action={"idle_timeout": "1s"}),
    Case(name="idle-watch", rpc="watch", action={"idle_timeout": "0.8s"}),
    Case(name="idle-off", rpc="watch", action={"idle_timeout": "0s"}),
    Case(name="idle-listener", rpc="watch", listener={"stream_idle_timeout": "0.2s"}),
    Case(name="duration", rpc="watch", listener=LASTS_LONGER),
    Case(name="duration-unary", envoy=LONG, listener=LASTS),
    Case(
        name="duration-off",
        rpc="watch",
        listener=LASTS,
        action={"max_stream_duration": {"max_stream_duration": "0s"}},
    ),
    Case(name="duration-route", rpc="chat", action={"max_stream_duration": {"max_stream_duration": "0.2s"}}),
    Case(name="duration-cluster", rpc="watch", cluster=upstream(**LASTS_LONGER)),
    Case(
        name="duration-asked", envoy=EnvoyHeaders(timeout=20, stream_duration=0.2), cluster=upstream(**LASTS)
    ),
    Case(
        name="duration-dropped",
        envoy=EnvoyHeaders(timeout=0.5, stream_duration=0.2),
        action=NONE,
        obeyed=False,
    ),
    Case(name="sending", rpc="chat", listener={"request_timeout": "0.2s"}),
    Case(name="sending-unary", envoy=ASKED, listener={"request_timeout": "0.2s"}),
    Case(name="respected", envoy=LONG, listener={"http_filters": [RESPECTING]}),
    Case(
        name="expected",
        envoy=LONG,
        route={
            "request_headers_to_add": [{"header": {"key": "x-envoy-upstream-rq-timeout-ms", "value": "200"}}]
        },
    ),
]


Ending = tuple[grpc.StatusCode, str] | None

BY_SIDECAR = (grpc.StatusCode.UNAVAILABLE, "upstream request timeout")
BY_DEADLINE = (grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
BY_DURATION = (grpc.StatusCode.DEADLINE_EXCEEDED, "downstream duration timeout")
BY_ATTEMPT = (grpc.StatusCode.UNAVAILABLE, "upstream max stream duration reached")
NOT_SENT = (grpc.StatusCode.UNKNOWN, "request timeout")
SILENT = (grpc.StatusCode.UNAVAILABLE, "stream timeout")
RESET = (grpc.StatusCode.INTERNAL, "RST_STREAM")
EITHER: Ending = None
"""The sidecar or the client: their timers run at the same time."""

IDLE = "ended after 5 min without an answer (stream_idle_timeout: Envoy's default)"
BEFORE = ", before its deadline of 20 s"

ENDED: list[tuple[str, str, Ending, str | None, str]] = [
    ("asked", "slow", BY_DEADLINE, None, "200 ms (asked, counts)"),
    ("asked-more", "slow", BY_DEADLINE, "DM311", "500 ms (asked, counts)"),
    ("route", "slow", BY_SIDECAR, None, "200 ms (route)"),
    ("dropped", "slow", BY_SIDECAR, "DM309", f"cut after 200 ms by the route{BEFORE}"),
    ("dropped-forever", "slow", BY_SIDECAR, "DM309", "200 ms (route)"),
    ("dropped-deadline", "slow", BY_DEADLINE, None, "200 ms (the deadline; 15 s in the route)"),
    ("by-routes", "slow", BY_SIDECAR, "DM310", f"cut after 200 ms by the route{BEFORE}"),
    ("by-routes-same", "slow", EITHER, None, "200 ms (the deadline; 200 ms in the route)"),
    ("deadline-obeyed", "slow", EITHER, None, "200 ms (the deadline, which the route obeys)"),
    ("deadline-capped", "slow", EITHER, "DM310", f"cut after 200 ms by the route{BEFORE}"),
    ("deadline-offset", "slow", EITHER, None, "200 ms (the deadline, less what the route takes off)"),
    ("header-max", "slow", EITHER, None, "200 ms (the deadline, which the route obeys)"),
    ("header-max-capped", "slow", EITHER, "DM314", "ended after 200 ms (max_stream_duration: route)"),
    ("header-offset", "slow", EITHER, "DM327", "ended at once"),
    ("watch", "slow", BY_SIDECAR, "DM306", "cut after 800 ms by the route"),
    ("watch", "begin-slow", RESET, "DM306", "cut after 800 ms by the route"),
    ("chat", "begin-slow", RESET, "DM307", "cut 800 ms after the last request by the route"),
    ("collect", "slow", BY_SIDECAR, "DM309", "cut 200 ms after the last request by the route"),
    ("idle", "slow", SILENT, "DM313", "ended after 200 ms without an answer (idle_timeout: route)"),
    ("idle-enough", "slow", BY_DEADLINE, None, "200 ms (asked, counts)"),
    ("idle-watch", "slow", SILENT, "DM312", "no timeout (asked, counts), ended when silent for 800 ms"),
    ("idle-watch", "begin-slow", RESET, "DM312", "ended when silent for 800 ms"),
    ("idle-listener", "slow", SILENT, "DM312", "no timeout (asked, counts), ended when silent for 200 ms"),
    ("duration", "begin-slow", RESET, "DM314", "ended after 800 ms (max_stream_duration: listener)"),
    ("duration-unary", "slow", BY_DURATION, "DM314", "ended after 200 ms (max_stream_duration: listener)"),
    ("duration-route", "hold-slow", EITHER, "DM314", "ended after 200 ms (max_stream_duration: route)"),
    (
        "duration-cluster",
        "begin-slow",
        RESET,
        "DM314",
        "at most 800 ms for each attempt (max_stream_duration: cluster)",
    ),
    (
        "duration-asked",
        "slow",
        BY_ATTEMPT,
        None,
        "at most 200 ms for each attempt (max_stream_duration: asked, counts)",
    ),
    ("duration-dropped", "slow", BY_DEADLINE, None, "500 ms (the deadline; no timeout in the route)"),
    ("sending", "hold-slow", NOT_SENT, "DM315", "no timeout (asked, counts)"),
    ("sending-unary", "slow", BY_DEADLINE, None, "200 ms (asked, counts)"),
]
"""Cases, what their handlers do, how the sidecar or the client ends the call, and what the doctor says."""

LASTING = [
    ("asked-forever", "slow", IDLE),
    ("no-timeout", "slow", IDLE),
    ("new-timeouts", "slow", IDLE),
    ("watch-asked", "begin-slow", "no timeout (asked, counts), ended when silent for 5 min"),
    ("watch-by-routes", "begin-slow", "no timeout (route), ended when silent for 5 min"),
    ("chat-held", "hold-slow", "cut 200 ms after the last request"),
    ("chat-by-routes", "slow", "no timeout (route)"),
    ("idle-off", "begin-slow", "no timeout (asked, counts), no retries"),
    ("duration-off", "begin-slow", "no timeout (asked, counts)"),
    ("expected", "slow", "20 s (asked, counts)"),
]
"""Cases in which 200 ms stand somewhere and do not count: only a deadline of the call's own ends it."""

LONGER = 0.5  # seconds


@pytest.fixture(scope="module")
def mesh() -> Iterator[Mesh]:
    with Mesh(CASES) as mesh:
        yield mesh


@pytest.fixture(scope="module")
def outcomes(mesh: Mesh) -> dict[tuple[str, str], Outcome]:
    """How the calls of both tables ended, all of them made at the same time."""
    return mesh.calls(
        {
            **{(name, behaviour): {} for name, behaviour, *_ in ENDED},
            **{(name, behaviour): {"timeout": LONGER} for name, behaviour, _ in LASTING},
        }
    )


@pytest.mark.finds("DM306")
@pytest.mark.finds("DM307")
@pytest.mark.finds("DM309")
@pytest.mark.finds("DM310")
@pytest.mark.finds("DM313")
@pytest.mark.finds("DM314")
@pytest.mark.finds("DM315")
@pytest.mark.finds("DM327")
@pytest.mark.parametrize(("name", "behaviour", "status", "id", "said"), ENDED)
def test_calls_end_as_the_doctor_says(
    mesh: Mesh,
    outcomes: dict[tuple[str, str], Outcome],
    name: str,
    behaviour: str,
    status: Ending,
    id: str | None,
    said: str,
) -> None:
    assert said in mesh.sentence(name)
    found = mesh.ids(name)
    assert found - {"DM312"} == {id} - {None, "DM312"}
    assert id is None or id in found
    outcome = outcomes[name, behaviour]
    assert outcome.code is not grpc.StatusCode.OK
    if status is not None:
        assert outcome.code is status[0]
        assert status[1] in outcome.details


@pytest.mark.parametrize(("name", "behaviour", "said"), LASTING)
def test_calls_last_as_long_as_they_like(
    mesh: Mesh, outcomes: dict[tuple[str, str], Outcome], name: str, behaviour: str, said: str
) -> None:
    assert said in mesh.sentence(name)
    assert mesh.ids(name) <= {"DM307", "DM311", "DM312"}
    outcome = outcomes[name, behaviour]
    assert outcome.code is BY_DEADLINE[0]
    assert BY_DEADLINE[1] in outcome.details


@pytest.mark.finds("DM308")
def test_a_default_that_nobody_has_set(mesh: Mesh) -> None:
    assert mesh.ids("default") == {"DM308"}
    assert "15 s (Envoy's default)" in mesh.sentence("default")
    assert "DM308" not in mesh.ids("route") | mesh.ids("no-timeout") | mesh.ids("asked")
    assert mesh.call("default").code is grpc.StatusCode.OK


@pytest.mark.finds("DM311")
def test_more_time_than_the_route_has(mesh: Mesh) -> None:
    (found,) = [each for each in mesh.findings("asked-more") if each.id == "DM311"]
    assert "500 ms asked for instead of the 200 ms of route asked-more" in found.finding
    assert "DM311" in mesh.ids("asked-forever")
    assert "DM311" not in mesh.ids("asked") | mesh.ids("by-routes")


@pytest.mark.finds("DM312")
def test_streams_that_are_silent(mesh: Mesh) -> None:
    assert "DM312" in mesh.ids("idle-watch") & mesh.ids("watch-asked")
    assert "DM312" in mesh.ids("asked-forever")
    assert "DM312" not in mesh.ids("idle-off") | mesh.ids("idle") | mesh.ids("no-timeout")


@pytest.mark.finds("DM327")
def test_a_deadline_of_which_nothing_is_left(mesh: Mesh, outcomes: dict[tuple[str, str], Outcome]) -> None:
    assert outcomes["header-offset", "slow"].runs == 0
    assert "DM327" not in mesh.ids("header-max") | mesh.ids("deadline-offset")


def test_a_timeout_that_another_sidecar_expects(mesh: Mesh) -> None:
    """With `respect_expected_rq_timeout` it comes first; otherwise it is ignored."""
    expects = ("x-envoy-expected-rq-timeout-ms", "200")
    for name, status in (("respected", BY_SIDECAR), ("asked", BY_DEADLINE)):
        outcome = mesh.call(name, "slow", metadata=[expects])
        assert outcome.code is status[0]
        (said,) = [
            each.finding
            for each in mesh.examined([mesh.cases[name]], headers=[expects])
            if each.check == "rpc"
        ]
        assert f"{mesh.cases[name].subject}: 200 ms (asked, counts)" in said
    assert "20 s (asked, counts)" in mesh.sentence("respected")
