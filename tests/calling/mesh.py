"""A provider that does as it is told, and real Envoys before it."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import grpc
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
import localmesh
from tests import sidecars
from tests.calling.echo import EchoAsyncStub, EchoServicer, EchoStub, add_EchoServicer_to_server

_BEGIN = "begin "
ROUTE_TIMEOUT = 0.2
"""Seconds, of the app `short`."""


@dataclass(frozen=True)
class Seen:
    """What the provider saw of a request, as it tells the caller.

    Attributes:
        headers: the request's headers.
        remaining: seconds to the deadline when the handler began; None without a deadline.
    """

    headers: tuple[tuple[str, str], ...]
    remaining: float | None

    @classmethod
    def of(cls, response: StringValue) -> Seen:
        headers, remaining = json.loads(response.value)
        return cls(tuple((key, value) for key, value in headers), remaining)

    def __getitem__(self, name: str) -> str:
        (value,) = self.all(name)
        return value

    def __contains__(self, name: str) -> bool:
        return bool(self.all(name))

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]


class Provider(EchoServicer):
    """Does what the request's text says, and answers with what it has `Seen`.

    * "": answers at once;
    * `for 0.5`: answers after so many seconds, or when the call is cut;
    * `hang`: never answers;
    * `begin hang`, `begin for 0.5`: the same, after the first response of a stream.
    """

    def unary(self, request: StringValue, context: grpc.ServicerContext) -> StringValue:
        return self._answer(request.value.removeprefix(_BEGIN), context)

    def serverStream(self, request: StringValue, context: grpc.ServicerContext) -> Iterator[StringValue]:
        if request.value.startswith(_BEGIN):
            yield self._answer("", context)
        yield self._answer(request.value.removeprefix(_BEGIN), context)

    def clientStream(
        self, request_iterator: Iterator[StringValue], context: grpc.ServicerContext
    ) -> StringValue:
        *_, request = request_iterator
        return self.unary(request, context)

    def bidi(
        self, request_iterator: Iterator[StringValue], context: grpc.ServicerContext
    ) -> Iterator[StringValue]:
        for request in request_iterator:
            yield from self.serverStream(request, context)

    def _answer(self, text: str, context: grpc.ServicerContext) -> StringValue:
        # grpcio tells a sync handler of no deadline by one that is centuries away.
        remaining = context.time_remaining()
        headers = [(key, str(value)) for key, value in context.invocation_metadata()]
        seen = json.dumps([headers, remaining if remaining < 10**8 else None])
        if text:
            cut = threading.Event()
            if not context.add_callback(cut.set):
                cut.set()
            cut.wait(60 if text == "hang" else float(text.removeprefix("for ")))
        return StringValue(value=seen)


class Bench:
    """The provider, and two sidecars that reach it under the names of several apps.

    * `trusting` honours our headers; `strict` holds nobody for internal and strips them, as Istio's do.
    * `echo` is left alone; `short` has a route timeout of `ROUTE_TIMEOUT`;
    * `enforced` obeys `grpc-timeout` as Istio's routes do, `enforced-stream` by the newer field for it, and
      `early` fires 150 ms before the deadline.
    """

    def __init__(self, provider: str, trusting: sidecars.Sidecar, strict: sidecars.Sidecar) -> None:
        self.provider = provider
        self.trusting = trusting
        self.strict = strict

    @contextmanager
    def stub(
        self,
        sidecar: sidecars.Sidecar,
        app: str = "echo",
        envoy: dubbo_mesh.EnvoyHeaders | None = None,
        **environment: str,
    ) -> Generator[EchoStub]:
        """A sync stub behind `sidecar`."""
        with mock.patch.dict(os.environ, {"DUBBO_MESH_EGRESS": sidecar.egress, **environment}):
            stub = EchoStub(target=dubbo_mesh.Target(app, port=50051), envoy=envoy)
        with stub:
            yield stub

    def async_stub(
        self,
        sidecar: sidecars.Sidecar,
        app: str = "echo",
        envoy: dubbo_mesh.EnvoyHeaders | None = None,
        **environment: str,
    ) -> EchoAsyncStub:
        """An async stub behind `sidecar`, to be closed by `async with`."""
        with mock.patch.dict(os.environ, {"DUBBO_MESH_EGRESS": sidecar.egress, **environment}):
            return EchoAsyncStub(target=dubbo_mesh.Target(app, port=50051), envoy=envoy)

    @contextmanager
    def plain(self, sidecar: sidecars.Sidecar, app: str = "echo") -> Generator[Plain]:
        """grpcio alone behind `sidecar`."""
        authority = dubbo_mesh.Target(app, port=50051).authority
        options = [("grpc.default_authority", authority), ("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(sidecar.egress, options=options) as channel:
            yield Plain(channel)


class Plain:
    """The Echo's unary and server-streaming rpcs, called with grpcio and nothing of ours."""

    def __init__(self, channel: grpc.Channel) -> None:
        types: dict[str, Callable[..., Any]] = {
            "request_serializer": StringValue.SerializeToString,
            "response_deserializer": StringValue.FromString,
        }
        self.unary: Any = channel.unary_unary("/test.Echo/unary", **types)
        self.stream: Any = channel.unary_stream("/test.Echo/serverStream", **types)


_APPS: Mapping[str, Mapping[str, Any]] = {
    "echo": {},
    "short": {"timeout": ROUTE_TIMEOUT},
    "enforced": {"timeout": 0, "route_action": {"max_grpc_timeout": "0s"}},
    "enforced-stream": {
        "timeout": 0,
        "route_action": {
            "max_stream_duration": {"max_stream_duration": "0s", "grpc_timeout_header_max": "0s"}
        },
    },
    "early": {
        "timeout": 0,
        "route_action": {"max_grpc_timeout": "0s", "grpc_timeout_offset": "0.15s"},
        # The provider's own timer would race Envoy's: let it know of no deadline.
        "route": {"request_headers_to_remove": ["grpc-timeout"]},
    },
}


@contextmanager
def started(directory: Path) -> Generator[Bench]:
    """Starts everything, and stops it at the end of the `with` block."""
    with localmesh.ReservedPort() as port, ThreadPoolExecutor(64) as pool:
        server = grpc.server(pool)
        add_EchoServicer_to_server(Provider(), server)
        server.add_insecure_port(port.address)
        server.start()
        services = [
            sidecars.MeshService(app, 50051, [port.address], health_check=None, **how)
            for app, how in _APPS.items()
        ]
        strict = sidecars.Egress(services, use_remote_address=False, internal_addresses=())
        with (
            sidecars.Sidecar("trusting", egress=services, directory=directory / "trusting") as trusting,
            sidecars.Sidecar("strict", egress=strict, directory=directory / "strict") as distrusting,
        ):
            yield Bench(port.address, trusting, distrusting)
        server.stop(grace=0).wait()
