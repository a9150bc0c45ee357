"""Public reports of timeouts and retries that do not work: the doctor names the cause of each.

Each has the configuration of the report in few words, the call that disappoints, and the remedy. Those that
are about Istio are in tests/istio/check_public_reports.py.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, NamedTuple
from unittest.mock import patch

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
from dubbo_mesh import EnvoyHeaders
from tests import sidecars
from tests.calling.echo import EchoServicer
from tests.doctor import running
from tests.doctor.running import ids

EXPECTED = "x-envoy-expected-rq-timeout-ms"
"""What a sidecar tells the provider of its timeout, in milliseconds."""


class Made(NamedTuple):
    """What became of a call.

    Attributes:
        code: Its status.
        details: The status's message.
        runs: How often the handler ran.
        told: Milliseconds, what the sidecar told the handler of its timeout; 0 if there is none.
    """

    code: grpc.StatusCode
    details: str
    runs: int
    told: int


@dataclass(frozen=True, kw_only=True)
class Report:
    """A public report.

    Attributes:
        where: Its address.
        id: What the doctor calls the cause.
        disappoints: Whether a call goes as the reporter complains.
        asks: What the reporter's calls ask for.
        rpc: `unary` or `serverStream`.
        does: What the handler does: `fail`, `hold` (until the caller has gone) or nothing.
        wrong: Arguments of the `MeshService` as the reporter has it.
        right: With the remedy.
        trusting: Whether headers count: with the reporter, and with the remedy.
        asks_instead: What calls ask for with the remedy, if that is the remedy.
    """

    where: str
    id: str
    disappoints: Callable[[Made], bool]
    asks: EnvoyHeaders = field(default_factory=EnvoyHeaders)
    rpc: str = "unary"
    does: str = "fail"
    wrong: Mapping[str, Any] = field(default_factory=dict[str, Any])
    right: Mapping[str, Any] = field(default_factory=dict[str, Any])
    trusting: tuple[bool, bool] = (True, True)
    asks_instead: EnvoyHeaders | None = None

    @property
    def app(self) -> str:
        """A name for the provider."""
        return f"report-{self.where.rpartition('/')[2]}"


RETRY = EnvoyHeaders(max_retries=2, retry_grpc_on="unavailable")
FROM_ROUTE = EnvoyHeaders(inherit_timeout=True)
ENVOY = "https://github.com/envoyproxy/envoy/issues/"

REPORTS = [
    # A timeout in a header has no effect: the request does not count as internal, so the header is removed.
    Report(
        where=ENVOY + "19498",
        id="DM301",
        asks=EnvoyHeaders(timeout=1.5),
        does="",
        disappoints=lambda made: made.told > 10_000,  # Envoy's 15 s
        trusting=(False, True),
    ),
    # The same cause, and retries that are asked for by headers.
    Report(
        where=ENVOY + "4654",
        id="DM301",
        asks=RETRY,
        disappoints=lambda made: made.runs == 1,
        trusting=(False, True),
    ),
    # A number of retries alone changes nothing: there is no condition for them.
    Report(
        where=ENVOY + "11883",
        id="DM318",
        asks=EnvoyHeaders(max_retries=2),
        asks_instead=RETRY,
        disappoints=lambda made: made.runs == 1,
    ),
    # A stream ends with "upstream request timeout": the route's timeout, by default 15 s, here 0.2 s.
    Report(
        where=ENVOY + "17697",
        id="DM306",
        asks=FROM_ROUTE,
        rpc="serverStream",
        does="hold",
        wrong={"timeout": 0.2},
        right={"timeout": 0},
        disappoints=lambda made: made.told > 0,
    ),
    # The timeout is gone, and streams still end after 5 minutes: those that are silent, here for 0.2 s.
    Report(
        where=ENVOY + "4374",
        id="DM312",
        asks=FROM_ROUTE,
        rpc="serverStream",
        does="hold",
        wrong={"timeout": 0, "route_action": {"idle_timeout": "0.2s"}},
        right={"timeout": 0, "route_action": {"idle_timeout": "0s"}},
        disappoints=lambda made: made.code is not grpc.StatusCode.CANCELLED,
    ),
    # Retries of what takes too long: by status codes, which a timeout does not have.
    Report(
        where=ENVOY + "8777",
        id="DM320",
        asks=EnvoyHeaders(timeout=5),
        does="hold once",
        wrong={"retry_policy": {"retry_on": "retriable-status-codes", "per_try_timeout": "0.2s"}},
        right={"retry_policy": {"retry_on": "reset", "per_try_timeout": "0.2s"}},
        disappoints=lambda made: made.runs == 1,
    ),
    # The circuit breaker limits how many retries may be under way: here, to none.
    Report(
        where=ENVOY + "29762",
        id="DM305",
        asks=RETRY,
        wrong={"cluster": {"circuit_breakers": {"thresholds": [{"max_retries": 0}]}}},
        right={"cluster": {"circuit_breakers": {"thresholds": [{"max_retries": 3}]}}},
        disappoints=lambda made: made.runs == 1,
    ),
    # 5xx is no condition for gRPC, whose errors have the HTTP status 200.
    Report(
        where="https://github.com/istio/istio/issues/28614",
        id="DM322",
        asks=FROM_ROUTE,
        wrong={"timeout": 0, "retry_policy": {"retry_on": "5xx,reset", "num_retries": 2}},
        right={"timeout": 0, "retry_policy": {"retry_on": "unavailable", "num_retries": 2}},
        disappoints=lambda made: made.runs == 1,
    ),
]


class Recorder(EchoServicer):
    """Does what a request says, and remembers how it was told to."""

    def __init__(self) -> None:
        self.told: list[int] = []
        self.release = threading.Event()

    def unary(self, request: StringValue, context: grpc.ServicerContext) -> StringValue:
        self._take(request.value, context)
        return StringValue()

    def serverStream(self, request: StringValue, context: grpc.ServicerContext) -> Iterator[StringValue]:
        yield StringValue(value="first")
        self._take(request.value, context)

    def _take(self, what: str, context: grpc.ServicerContext) -> None:
        self.told.append(int(dict(context.invocation_metadata()).get(EXPECTED, 0)))
        if what == "fail":
            context.abort(grpc.StatusCode.UNAVAILABLE, "told to fail")
        if what == "hold" or (what == "hold once" and len(self.told) == 1):
            context.add_callback(self.release.set)
            self.release.wait()


class World:
    """A provider, and a consumer beside two sidecars: one obeys its headers, and one does not."""

    def __init__(self, recorder: Recorder, trusting: sidecars.Sidecar, other: sidecars.Sidecar) -> None:
        self._recorder = recorder
        self._sidecars = {True: trusting, False: other}

    def found(self, report: Report, *, mended: bool) -> set[str]:
        """The ids of what the doctor finds."""
        name = "reporter_mesh"
        module = ModuleType(name)
        module.EchoStub = self._stub_class(report, mended=mended)  # type: ignore[attr-defined]
        with patch.dict(sys.modules, {name: module}):
            return ids(running.examined(name, variables=self._variables(report, mended=mended)))

    def make(self, report: Report, *, mended: bool) -> Made:
        """Makes the reporter's call. With the remedy, its caller is gone after 0.6 s."""
        self._recorder.told.clear()
        self._recorder.release.clear()
        code, details = grpc.StatusCode.OK, ""
        environment = running.environment(self._variables(report, mended=mended))
        with (
            patch.dict("os.environ", environment, clear=True),
            self._stub_class(report, mended=mended)() as stub,
        ):
            call = getattr(stub, report.rpc)
            request = StringValue(value=report.does)
            try:
                if report.rpc == "unary":
                    call(request)
                else:
                    stream = call(request)
                    timer = threading.Timer(0.6 if mended else 30, stream.cancel)
                    timer.start()
                    try:
                        list(stream)
                    finally:
                        timer.cancel()
            except grpc.RpcError as error:
                code, details = error.code(), error.details() or ""
        self._recorder.release.set()
        return Made(code, details, len(self._recorder.told), max(self._recorder.told, default=0))

    def _variables(self, report: Report, *, mended: bool) -> dict[str, str]:
        sidecar = self._sidecars[report.trusting[mended]]
        return {
            "DUBBO_MESH_EGRESS": sidecar.egress,
            "DUBBO_MESH_ADMIN": sidecar.admin_address,
            "DUBBO_MESH_PROBES": "off",
        }

    def _stub_class(self, report: Report, *, mended: bool) -> Any:
        asks = (mended and report.asks_instead) or report.asks
        streams = report.rpc == "serverStream"
        path = f"/test.Echo/{report.rpc}"
        method = dubbo_mesh.Method(path, StringValue, StringValue, server_streaming=streams, envoy=asks)
        service = dubbo_mesh.Service("test.Echo", method, app=_app(report, mended=mended), port=50051)
        return type("EchoStub", (dubbo_mesh.Stub,), {"__mesh__": service})


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    recorder = Recorder()
    with dubbo_mesh.Server(
        recorder, address="127.0.0.1:0", sidecar="off", probes="off", drain=0, grace=0
    ) as server:
        endpoints = [f"127.0.0.1:{server.ports[0]}"]
        services = [
            sidecars.MeshService(
                _app(report, mended=mended),
                50051,
                endpoints,
                health_check=None,
                **(report.right if mended else report.wrong),
            )
            for report in REPORTS
            for mended in (False, True)
        ]
        obeys = sidecars.Egress(services)
        drops = sidecars.Egress(services, internal_addresses=[])
        with (
            sidecars.Sidecar("trusting", egress=obeys) as trusting,
            sidecars.Sidecar("other", egress=drops) as other,
        ):
            yield World(recorder, trusting, other)


@pytest.mark.finds("DM301")
@pytest.mark.finds("DM305")
@pytest.mark.finds("DM306")
@pytest.mark.finds("DM312")
@pytest.mark.finds("DM318")
@pytest.mark.finds("DM320")
@pytest.mark.finds("DM322")
@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.app)
class TestReport:
    def test_the_cause_is_named(self, world: World, report: Report) -> None:
        assert report.disappoints(world.make(report, mended=False))
        assert report.id in world.found(report, mended=False)

    def test_the_remedy_helps(self, world: World, report: Report) -> None:
        assert not report.disappoints(world.make(report, mended=True))
        assert report.id not in world.found(report, mended=True)


def _app(report: Report, *, mended: bool) -> str:
    return f"{report.app}-mended" if mended else report.app
