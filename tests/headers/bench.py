"""Real Envoys that trust a caller in different ways, real upstreams, and calls through our stubs."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self
from unittest import mock

import grpc
import h2.errors
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
import localmesh
from tests import sidecars
from tests.calling.echo import EchoServicer, EchoStub, add_EchoServicer_to_server
from tests.headers.collector import Collector, Span
from tests.headers.wire import Answer, WireServer
from tests.sidecars.config import cluster, typed
from tests.stalls import undisturbed

LOOPBACK = ("127.0.0.0/8",)
_RUN = "x-run"
_COLLECTOR = "trace-collector"
_RUNTIME = {"tracing": {"opentelemetry": {"min_flush_spans": 1}}}
# A span is sent when it is over, not when there are five, or 5 s later.
_EVERY_SPAN_AT_ONCE = {"layered_runtime": {"layers": [{"name": "tests", "static_layer": _RUNTIME}]}}


@dataclass(frozen=True)
class Trust:
    """How an egress listener decides which requests are internal."""

    use_remote_address: bool
    internal_addresses: tuple[str, ...]


INTERNAL = Trust(True, LOOPBACK)
"""The peer's own address counts, and is internal: all that our stubs ask is honoured."""
SIDECAR = Trust(False, ())
"""As Istio makes its sidecars: no request is internal, none comes from the edge."""
EDGE = Trust(True, ())
"""As a gateway is: every caller is a stranger."""
SIDECAR_INTERNAL = Trust(False, LOOPBACK)
"""A sidecar that can be told, with `x-forwarded-for`, that a request is internal."""

SIDECAR_PODS = Trust(False, ("10.0.0.0/8",))
"""The same, where pods have addresses of that range."""

TRUSTS: Mapping[str, Trust] = MappingProxyType(
    {
        "internal": INTERNAL,
        "sidecar": SIDECAR,
        "edge": EDGE,
        "sidecar-internal": SIDECAR_INTERNAL,
        "sidecar-pods": SIDECAR_PODS,
    }
)

ISTIO_RETRIES: Mapping[str, Any] = MappingProxyType(
    {
        "retry_on": "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes",
        "num_retries": 2,
        "retry_host_predicate": [
            {
                "name": "envoy.retry_host_predicates.previous_hosts",
                "typed_config": typed("envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"),
            }
        ],
        "host_selection_retry_max_attempts": 5,
    }
)
"""The retry policy of Istio's routes, unless a VirtualService has one: `defaultPolicy` in its
`pilot/pkg/networking/core/route/retry/retry.go`."""


class Attempt:
    """One attempt of a request, at the provider."""

    def __init__(self, context: grpc.ServicerContext, run: list[Attempt]) -> None:
        self.context = context
        self.run = run
        self.headers: dict[str, str | bytes] = dict(context.invocation_metadata())
        self.number = int(self.headers.get("x-envoy-attempt-count", 1))
        self.answered = False
        self.woken = threading.Event()
        if not context.add_callback(self.woken.set):
            self.woken.set()

    @property
    def cut(self) -> bool:
        """Whether nobody waits for the answer any more."""
        return not self.context.is_active()

    def pause(self, seconds: float) -> None:
        """Waits so long; less if the attempt is cut or woken meanwhile."""
        self.woken.wait(seconds)


Behaviour = Callable[[Attempt], str]


def echo(attempt: Attempt) -> str:
    return f"attempt {attempt.number}"


class Provider(EchoServicer):
    """Behaves in each run as the run says, and keeps the attempts of each."""

    def __init__(self) -> None:
        self.behaviours: dict[str, Behaviour] = {}
        self.runs: dict[str, list[Attempt]] = {}

    def unary(self, request: StringValue, context: grpc.ServicerContext) -> StringValue:
        return StringValue(value=self._answer(context))

    def serverStream(self, request: StringValue, context: grpc.ServicerContext) -> Iterator[StringValue]:
        yield StringValue(value="first")
        yield StringValue(value=self._answer(context))

    def clientStream(
        self, request_iterator: Iterator[StringValue], context: grpc.ServicerContext
    ) -> StringValue:
        return StringValue(value=",".join(request.value for request in request_iterator))

    def _answer(self, context: grpc.ServicerContext) -> str:
        name = str(dict(context.invocation_metadata()).get(_RUN))
        run = self.runs.setdefault(name, [])
        run.append(Attempt(context, run))
        attempt = run[-1]
        answer = self.behaviours.get(name, echo)(attempt)
        attempt.answered = not attempt.cut
        return answer


@dataclass
class Outcome:
    """What came of one run."""

    code: grpc.StatusCode
    answer: str
    attempts: list[Attempt]
    bench: Bench = field(repr=False)
    envoy: sidecars.Sidecar = field(repr=False)
    name: str = ""

    @cached_property
    def log(self) -> dict[str, Any]:
        """The caller's Envoy's access log entry."""
        (entry,) = self.envoy.egress_log.wait_for(1, lambda entry: entry["run"] == self.name)
        return entry

    @cached_property
    def at_ingress(self) -> dict[str, Any]:
        """The provider's sidecar's access log entry of the first attempt, for the app `ingress`."""
        return self.bench.ingress.ingress_log.wait_for(1, lambda entry: entry["run"] == self.name)[0]

    @cached_property
    def spans(self) -> list[Span]:
        """The spans of this run from any Envoy; all of them are there by now."""
        return self.bench.spans(self.envoy, self.name)


class Bench:
    """A sidecar for each kind of trust, in front of the same upstreams.

    * `echo`: a grpc server.
    * `impatient`: the same, by a route with a timeout of 0.15 s that retries `unavailable` once.
    * `istio`: the same, by a route that is Istio's where nothing is configured.
    * `narrow`: the same, with a circuit breaker that has no room for retries; `frugal`: with a retry budget
      that has none.
    * `original`: the same, for requests that name its address.
    * `ingress`: the same, behind a sidecar of its own; `traced`: that, by a route that traces all requests.
    * `wire`: an HTTP/2 server that does to the first attempt what the metadata `x-answer` says.
    * `dead`: nobody.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.provider = Provider()
        self.wire = WireServer(_by_metadata)
        self._numbers = count(1)
        self._stack = ExitStack()
        self._envoys: dict[str, sidecars.Sidecar] = {}

    def __enter__(self) -> Self:
        with self._stack as stack:
            dead = stack.enter_context(localmesh.ReservedPort())
            port = stack.enter_context(localmesh.ReservedPort())
            self.provider_address = port.address
            self.collector = stack.enter_context(Collector())
            stack.enter_context(self.wire)
            pool = stack.enter_context(ThreadPoolExecutor(16))
            server = grpc.server(pool)
            add_EchoServicer_to_server(self.provider, server)
            server.add_insecure_port(port.address)
            server.start()
            stack.callback(lambda: server.stop(grace=0).wait())

            tracing = sidecars.Tracing(collector=self.collector.address)
            manager = {"tracing": {**tracing.to_json("ingress"), **_TAGGED}}
            self.ingress = sidecars.Sidecar(
                "ingress",
                ingress=sidecars.Ingress(port.address, connection_manager=manager, access_log_fields=_LOGGED),
                bootstrap=_EVERY_SPAN_AT_ONCE,
                directory=self.directory / "ingress",
            )
            self.ingress.clusters.append(cluster(_COLLECTOR, [self.collector.address]))
            stack.enter_context(self.ingress)
            services = _services(port.address, self.wire.address, dead.address, self.ingress.ingress)
            for name, trust in TRUSTS.items():
                egress = sidecars.Egress(
                    services,
                    use_remote_address=trust.use_remote_address,
                    internal_addresses=trust.internal_addresses,
                    tracing=tracing,
                    access_log_fields=_LOGGED,
                    connection_manager={"tracing": _TAGGED},
                )
                envoy = sidecars.Sidecar(
                    name, egress=egress, bootstrap=_EVERY_SPAN_AT_ONCE, directory=self.directory / name
                )
                self._envoys[name] = stack.enter_context(envoy)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stack.close()

    def envoy(self, trust: Trust) -> sidecars.Sidecar:
        """The sidecar of that trust."""
        return next(self._envoys[name] for name, each in TRUSTS.items() if each == trust)

    @contextmanager
    def stub(self, trust: Trust, app: str = "echo", **environment: str) -> Generator[EchoStub]:
        """A stub that dials its mesh name through the sidecar of that trust."""
        variables = {"DUBBO_MESH_EGRESS": self.envoy(trust).egress, **environment}
        with mock.patch.dict(os.environ, variables):
            stub = EchoStub(target=dubbo_mesh.Target(app, "default", 50051))
        with stub:
            yield stub

    def run(
        self,
        trust: Trust,
        headers: dubbo_mesh.EnvoyHeaders,
        *,
        app: str = "echo",
        behaviour: Behaviour = echo,
        streaming: bool = False,
        timeout: float | None = 5.0,
        metadata: tuple[tuple[str, str], ...] = (),
        **environment: str,
    ) -> Outcome:
        """Makes one call, and tells what came of it."""

        def call() -> Outcome:
            name = f"run-{next(self._numbers)}"
            self.provider.behaviours[name] = behaviour
            code, answer = grpc.StatusCode.OK, ""
            with self.stub(trust, app, **environment) as stub:
                try:
                    sent = ((_RUN, name), *metadata)
                    if streaming:
                        *_, response = stub.serverStream(StringValue(), timeout, sent, envoy=headers)
                    else:
                        response = stub.unary(StringValue(), timeout, sent, envoy=headers)
                    answer = response.value
                except grpc.RpcError as error:
                    code = error.code()
            attempts = self.provider.runs.get(name, [])
            return Outcome(code, answer, attempts, self, self.envoy(trust), name)

        return undisturbed(call, within=_DISTURBS)

    def spans(self, envoy: sidecars.Sidecar, name: str) -> list[Span]:
        """The spans of a run that is over."""
        # A later request, on a route that traces all, through the same two Envoys: when its spans have come,
        # so have all that are older.
        fence = f"fence-{next(self._numbers)}"
        with mock.patch.dict(os.environ, {"DUBBO_MESH_EGRESS": envoy.egress}):
            stub = EchoStub(target=dubbo_mesh.Target("traced", "default", 50051))
        with stub:
            stub.unary(StringValue(), timeout=5, metadata=((_RUN, fence),))
        self.collector.wait_for("run", fence)
        localmesh.wait_until(
            lambda: sum(span.tags.get("run") == fence for span in self.collector.wait_for("run", fence)) == 2,
            what="both Envoys have sent the fence's span",
        )
        return [span for span in self.collector.wait_for("run", fence) if span.tags.get("run") == name]


_DISTURBS = 0.05
"""Seconds; timeouts here are of 0.15 s and more."""
_LOGGED = {
    "run": f"%REQ({_RUN})%",
    "internal": "%REQ(x-envoy-internal)%",  # after Envoy has judged for itself
    "client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
}
_TAGGED = {"custom_tags": [{"tag": "run", "request_header": {"name": _RUN}}]}


def _services(provider: str, wire: str, dead: str, ingress: str) -> list[sidecars.MeshService]:
    def service(app: str, endpoint: str, **arguments: Any) -> sidecars.MeshService:
        return sidecars.MeshService(app, 50051, [endpoint], health_check=None, **arguments)

    def breaker(threshold: dict[str, Any]) -> dict[str, Any]:
        return {"circuit_breakers": {"thresholds": [threshold]}}

    no_budget = {"budget_percent": {"value": 0}, "min_retry_concurrency": 0}
    by_header = {
        "type": "ORIGINAL_DST",
        "lb_policy": "CLUSTER_PROVIDED",
        "load_assignment": None,
        "original_dst_lb_config": {"use_http_header": True},
    }
    return [
        service("echo", provider),
        service(
            "impatient",
            provider,
            timeout=0.15,
            retry_policy={"retry_on": "unavailable", "num_retries": 1},
        ),
        service(
            "istio",
            provider,
            timeout=0,
            retry_policy=dict(ISTIO_RETRIES),
            route_action={"max_grpc_timeout": "0s"},
        ),
        service("ingress", ingress),
        service("traced", ingress, route={"tracing": {"random_sampling": {"numerator": 100}}}),
        service("original", provider, cluster=by_header),
        service("narrow", provider, cluster=breaker({"max_retries": 0})),
        service("frugal", provider, cluster=breaker({"retry_budget": no_budget})),
        service("wire", wire),
        service("dead", dead),
    ]


def _by_metadata(headers: dict[str, str]) -> Answer:
    """`status 503`, `header x-name` or `reset REFUSED_STREAM` to a first attempt; later ones succeed."""
    kind, _, value = headers.get("x-answer", "").partition(" ")
    if headers.get("x-envoy-attempt-count") != "1":
        return Answer()
    if kind == "status":
        return Answer(status=int(value))
    if kind == "header":
        return Answer(status=503, headers=((value, "1"),))
    if kind == "reset":
        return Answer(reset=h2.errors.ErrorCodes[value])
    return Answer()
