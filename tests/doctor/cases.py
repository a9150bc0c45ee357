"""Many routes in one Envoy, each with an rpc of its own: what the doctor says of it, and what calls get.

A case is a service of its own, with its virtual host and cluster. Handlers do what the request says, and the
server counts how often they run.
"""

from __future__ import annotations

import itertools
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent import futures
from dataclasses import dataclass, field
from types import ModuleType, TracebackType
from typing import Any, Literal, NamedTuple, Self
from unittest.mock import patch

import grpc
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
import localmesh
from dubbo_mesh._doctor.finding import Finding
from dubbo_mesh._doctor.policy.followed import Followed, follow
from tests import sidecars
from tests.doctor.running import environment, examined
from tests.sidecars.config import Json, cluster, http_listener, merged
from tests.stalls import undisturbed

Rpc = Literal["unary", "watch", "collect", "chat"]

PORT = 50051
_OBEYS: Json = {
    "use_remote_address": True,
    "internal_address_config": {"cidr_ranges": [{"address_prefix": "127.0.0.0", "prefix_len": 8}]},
}
_DROPS: Json = {"use_remote_address": True}
_MODULE = "policy_cases_mesh"
_LONGEST = 5.0  # seconds that a slow handler waits for its cancellation
_DISTURBS = 0.075  # seconds: half of the least time between two timers of a call whose order matters


@dataclass(frozen=True, kw_only=True)
class Case:
    """An rpc, what its stub asks for, and the route that its calls take.

    Attributes:
        name: Of the app, the virtual host, the route and the cluster.
        rpc: Its shape: unary, server stream, client stream or bidirectional stream.
        envoy: What its stub asks for.
        action, route, virtual_host, cluster: Merged over the messages of those names.
        obeyed: Whether the sidecar obeys headers.
        listener: Merged over the `HttpConnectionManager`: such cases have a listener of their own.
        http_filters: Before the router.
        descriptor: Of the proto file of its service.
    """

    name: str
    rpc: Rpc = "unary"
    envoy: dubbo_mesh.EnvoyHeaders = field(default_factory=dubbo_mesh.EnvoyHeaders)
    action: Json = field(default_factory=dict[str, Any])
    route: Json = field(default_factory=dict[str, Any])
    virtual_host: Json = field(default_factory=dict[str, Any])
    cluster: Json = field(default_factory=dict[str, Any])
    obeyed: bool = True
    listener: Json = field(default_factory=dict[str, Any])
    http_filters: Sequence[Json] = ()
    descriptor: Any = None

    @property
    def subject(self) -> str:
        """`package.Service/rpc`."""
        return f"{self.name}.Test/{self.rpc}"

    @property
    def service(self) -> dubbo_mesh.Service:
        """The service, as a generated module describes it."""
        method = dubbo_mesh.Method(
            f"/{self.subject}",
            StringValue,
            StringValue,
            client_streaming=self.rpc in ("collect", "chat"),
            server_streaming=self.rpc in ("watch", "chat"),
            envoy=self.envoy,
        )
        return dubbo_mesh.Service(
            f"{self.name}.Test", method, app=self.name, port=PORT, descriptor=self.descriptor
        )

    @property
    def enters_by(self) -> str:
        """What the listener is like that its calls come by."""
        return json.dumps([self.obeyed, self.listener, list(self.http_filters)], sort_keys=True)

    def to_virtual_host(self) -> dict[str, Any]:
        """The `VirtualHost` message."""
        action = merged({"cluster": self.name}, self.action)
        route = {"name": self.name, "match": {"prefix": "/"}, "route": action}
        base = {
            "name": self.name,
            "domains": [f"{self.name}.default.svc.cluster.local:{PORT}"],
            "routes": [merged(route, self.route)],
        }
        return merged(base, self.virtual_host)


class Outcome(NamedTuple):
    """How a call ended.

    Attributes:
        runs: How often its handler ran.
        code, details: Its status.
        seconds: It took.
        received: The responses that arrived.
    """

    runs: int
    code: grpc.StatusCode
    details: str
    seconds: float
    received: int


class Mesh:
    """An Envoy with the routes of all cases, and the server that they lead to."""

    def __init__(self, cases: Sequence[Case]) -> None:
        self.cases = {case.name: case for case in cases}
        assert len(self.cases) == len(cases)
        self._ids = itertools.count()
        self._last = ""
        self._runs: Counter[str] = Counter()
        self._found: dict[str, list[Finding]] = {}
        self._followed: dict[str, list[Followed]] = {}
        self._stubs: dict[str, dubbo_mesh.Stub[Any]] = {}
        self._workers = futures.ThreadPoolExecutor(max_workers=256)
        self._server = grpc.server(self._workers, handlers=[_Handlers(self._run)])
        port = self._server.add_insecure_port("127.0.0.1:0")
        self.server = f"127.0.0.1:{port}"
        entrances: dict[str, list[Case]] = {}
        for case in cases:
            entrances.setdefault(case.enters_by, []).append(case)
        self._ports = {entrance: localmesh.ReservedPort() for entrance in entrances}
        endpoint = [self.server]
        self.envoy = sidecars.StaticEnvoy(
            "policies",
            [self._listener(entrance, found) for entrance, found in entrances.items()],
            [cluster(case.name, endpoint, case.cluster) for case in cases],
        )

    def _listener(self, entrance: str, cases: Sequence[Case]) -> Json:
        case, address = cases[0], self._ports[entrance].address
        return http_listener(
            address,
            address,
            [each.to_virtual_host() for each in cases],
            http_filters=case.http_filters,
            connection_manager=merged(_OBEYS if case.obeyed else _DROPS, case.listener),
            listener={"traffic_direction": "OUTBOUND"},
        )

    def __enter__(self) -> Self:
        self._server.start()
        self.envoy.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for stub in self._stubs.values():
            stub.__exit__(None, None, None)
        self.envoy.close()
        self._server.stop(0)
        self._workers.shutdown(wait=False)
        for port in self._ports.values():
            port.close()

    def variables(self, case: Case) -> dict[str, str]:
        """The variables of a process whose calls enter where this case's do."""
        egress = self._ports[case.enters_by].address
        return {"DUBBO_MESH_EGRESS": egress, "DUBBO_MESH_ADMIN": self.envoy.admin_address}

    def findings(self, name: str) -> list[Finding]:
        """What the doctor finds about a case; it looks at all cases of a listener at once."""
        case = self.cases[name]
        if case.enters_by not in self._found:
            alike = [each for each in self.cases.values() if each.enters_by == case.enters_by]
            self._found[case.enters_by] = self.examined(alike)
        return [each for each in self._found[case.enters_by] if each.subject == case.subject]

    def examined(
        self, cases: Sequence[Case], variables: Mapping[str, str] | None = None, **options: Any
    ) -> list[Finding]:
        """What the doctor finds about cases of one listener.

        Args:
            cases: The cases.
            variables: More variables of the environment.
            options: Of `Examination`.
        """
        module = ModuleType(_MODULE)
        for case in cases:
            setattr(module, case.name, stub_class(case))
        following = patch("dubbo_mesh._doctor.policy.rpcs.follow", self._following)
        with patch.dict(sys.modules, {_MODULE: module}), following:
            return examined(_MODULE, variables=self.variables(cases[0]) | dict(variables or {}), **options)

    def followed(self, name: str) -> Followed:
        """What the doctor knows of a case when it says something about it."""
        self.findings(name)
        (found,) = self._followed[self.cases[name].subject]
        return found

    def _following(self, *args: Any) -> Iterator[Followed]:
        for found in follow(*args):
            self._followed.setdefault(found.asked.name, []).append(found)
            yield found

    def ids(self, name: str) -> set[str]:
        """The ids of what the doctor finds about a case."""
        return {each.id for each in self.findings(name) if each.id is not None}

    def sentences(self, name: str) -> list[str]:
        """What the doctor says of a case, without its name."""
        prefix = f"{self.cases[name].subject}: "
        return [each.finding.removeprefix(prefix) for each in self.findings(name) if each.check == "rpc"]

    def sentence(self, name: str) -> str:
        """What the doctor says of a case that has one route."""
        (said,) = self.sentences(name)
        return said

    def call(self, name: str, behaviour: str = "ok", **options: Any) -> Outcome:
        """Calls the rpc of a case by a stub of its own.

        Args:
            name: Of the case.
            behaviour: What handlers do: `ok`; `slow`: wait for the end of the call, `slow:2` for 2 seconds at
                most; `fail:UNAVAILABLE` and other codes. With `begin-`, after one response; with `once-`, the
                first time only. With `hold-`, the caller does not end its requests.
            options: Of the call.
        """
        case = self.cases[name]
        return self.outcome(getattr(self._stub(case), case.rpc), case, behaviour, **options)

    def outcome(self, call: Any, case: Case, behaviour: str, **options: Any) -> Outcome:
        """Calls a stub's rpc, whatever it leads to; see `call`."""
        self._last = id = str(next(self._ids))
        request: Any = StringValue(value=f"{id} {behaviour.removeprefix('hold-')}")
        over = threading.Event()
        if case.rpc in ("collect", "chat"):
            request = _requests(request, over if behaviour.startswith("hold-") else None)
        begun, received = time.monotonic(), 0
        code, details = grpc.StatusCode.OK, ""
        try:
            result = call(request, **options)
            for _ in result if case.rpc in ("watch", "chat") else [result]:
                received += 1
        except grpc.RpcError as error:
            code, details = error.code(), error.details() or ""
        over.set()
        took = time.monotonic() - begun
        return Outcome(self._runs[id], code, details, took, received)

    def calls(self, wanted: Mapping[tuple[str, str], Mapping[str, Any]]) -> dict[tuple[str, str], Outcome]:
        """Makes many calls at the same time: by cases and behaviours, with the options of each.

        All connections are there before: the time that these take must not count.
        """
        names = {name for name, _ in wanted}
        for name in names:
            self._stub(self.cases[name])  # which reads the environment of this process

        def make() -> dict[tuple[str, str], Outcome]:
            with futures.ThreadPoolExecutor(max_workers=64) as callers:
                list(callers.map(self.call, names))
                made = {
                    (name, behaviour): callers.submit(self.call, name, behaviour, **options)
                    for (name, behaviour), options in wanted.items()
                }
                return {key: call.result() for key, call in made.items()}

        return undisturbed(make, within=_DISTURBS)

    def wait_for_runs(self, count: int) -> None:
        """Waits until the handler of the last call has run that often."""
        localmesh.wait_until(lambda: self._runs[self._last] >= count, what=f"{count} runs of a handler")

    def _stub(self, case: Case) -> Any:
        if case.name not in self._stubs:
            with patch.dict("os.environ", environment(self.variables(case)), clear=True):
                self._stubs[case.name] = stub_class(case)()
        return self._stubs[case.name]

    def _run(
        self, rpc: str, requests: Iterator[StringValue], context: grpc.ServicerContext
    ) -> Iterator[StringValue]:
        """The handler of all rpcs."""
        ended = threading.Event()
        context.add_callback(ended.set)
        try:
            id, _, behaviour = next(requests).value.partition(" ")
        except (StopIteration, grpc.RpcError):
            return
        self._runs[id] += 1
        if behaviour.startswith("begin-"):
            yield StringValue(value="begun")
            behaviour = behaviour.removeprefix("begin-")
        if behaviour.startswith("once-"):
            behaviour = behaviour.removeprefix("once-") if self._runs[id] == 1 else "ok"
        if behaviour.startswith("slow"):
            ended.wait(float(behaviour.partition(":")[2] or _LONGEST))
        elif behaviour.startswith("fail:"):
            context.abort(grpc.StatusCode[behaviour.removeprefix("fail:")], "as asked")
        yield StringValue(value=rpc)


def _requests(first: StringValue, held: threading.Event | None) -> Iterator[StringValue]:
    yield first
    if held is not None:
        held.wait(_LONGEST)


def stub_class(case: Case) -> type[dubbo_mesh.Stub[Any]]:
    """The stub of a case's service, as it is generated."""
    return type(f"{case.name}Stub", (dubbo_mesh.Stub,), {"__mesh__": case.service})


class _Handlers(grpc.GenericRpcHandler):
    """Answers all services, by the shape that the rpc's name says."""

    def __init__(self, run: Any) -> None:
        self._handle = run

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        rpc = handler_call_details.method.rpartition("/")[2]
        run = self._handle

        def one(request: StringValue, context: grpc.ServicerContext) -> Any:
            return next(run(rpc, iter([request]), context))

        def several(request: StringValue, context: grpc.ServicerContext) -> Any:
            return run(rpc, iter([request]), context)

        def collected(requests: Iterator[StringValue], context: grpc.ServicerContext) -> Any:
            return next(run(rpc, requests, context))

        def exchanged(requests: Iterator[StringValue], context: grpc.ServicerContext) -> Any:
            return run(rpc, requests, context)

        shapes: dict[str, tuple[Any, Any]] = {
            "unary": (grpc.unary_unary_rpc_method_handler, one),
            "watch": (grpc.unary_stream_rpc_method_handler, several),
            "collect": (grpc.stream_unary_rpc_method_handler, collected),
            "chat": (grpc.stream_stream_rpc_method_handler, exchanged),
        }
        if rpc not in shapes:
            return None
        make, handler = shapes[rpc]
        made: grpc.RpcMethodHandler[Any, Any]
        made = make(handler, StringValue.FromString, StringValue.SerializeToString)
        return made
