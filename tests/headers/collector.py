"""An OpenTelemetry collector: the real protocol, kept in memory."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any, NamedTuple, Self

import grpc

import localmesh

_SCOPE_SPANS = 2  # of ResourceSpans; by another name in the older protos that xds-protos brings


class Span(NamedTuple):
    """A span, as far as the tests look at it."""

    service: str
    name: str
    tags: dict[str, str]


class Collector:
    """Takes spans over OTLP/gRPC on a free port of localhost until the end of the `with` block.

    Attributes:
        address: `host:port`.
    """

    def __init__(self) -> None:
        self._port = localmesh.ReservedPort()
        self.address = self._port.address
        self._spans: list[Span] = []
        self._came = threading.Condition()
        # One worker: what one Envoy exports first is kept first.
        self._server = grpc.server(ThreadPoolExecutor(1))
        # Its module has no types.
        otlp: Any = import_module("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
        self._response = otlp.ExportTraceServiceResponse()
        export: grpc.RpcMethodHandler[Any, Any] = grpc.unary_unary_rpc_method_handler(
            self._export,
            request_deserializer=otlp.ExportTraceServiceRequest.FromString,
            response_serializer=otlp.ExportTraceServiceResponse.SerializeToString,
        )
        service = "opentelemetry.proto.collector.trace.v1.TraceService"
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(service, {"Export": export}),)
        )
        self._server.add_insecure_port(self.address)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.stop(grace=0).wait()
        self._port.close()

    def wait_for(self, tag: str, value: str, *, timeout: float = 10.0) -> list[Span]:
        """The spans so far, as soon as one has the tag.

        Raises:
            TimeoutError: none came in `timeout` seconds.
        """
        with self._came:
            if not self._came.wait_for(
                lambda: any(span.tags.get(tag) == value for span in self._spans), timeout
            ):
                raise TimeoutError(f"no span with {tag} = {value!r} among {self._spans}")
            return list(self._spans)

    def _export(self, request: Any, context: grpc.ServicerContext) -> Any:
        with self._came:
            for resource_spans in request.resource_spans:
                service = _tags(resource_spans.resource).get("service.name", "")
                for scope_spans in _by_number(resource_spans, _SCOPE_SPANS):
                    self._spans += (Span(service, span.name, _tags(span)) for span in scope_spans.spans)
            self._came.notify_all()
        return self._response


def _by_number(message: Any, number: int) -> Any:
    return getattr(message, message.DESCRIPTOR.fields_by_number[number].name)


def _tags(of: Any) -> dict[str, str]:
    return {each.key: each.value.string_value for each in of.attributes}
