"""What stubs ask for: the requests that they send, by the code that sends them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import grpc

from ..._addressing.environment import Environment
from ..._calling.headers import Headers
from ..._calling.plan import CallPlan
from ..._contract.service import Method, Service
from ..addressing.descriptors import is_idempotent, rpc_of
from ..addressing.dialling import Dialled
from ..envoy.entering.arrival import ROUTER_HEADERS
from ..envoy.forwarding.retries import Retries, retries
from ..envoy.forwarding.routes import NO_RETRIES
from ..envoy.forwarding.timeouts import grpc_timeout
from ..envoy.request import Request
from .configured import ConfiguredRetry, retry_of

_SENT_ONCE = frozenset({"x-forwarded-for", "x-forwarded-host"})
"""Headers of which grpc sends the last value only."""

_LONGEST_IN_MS = 99_999.999
"""Seconds that fit into the eight digits of a `grpc-timeout` in milliseconds."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One rpc, and the request of a call without arguments of its own.

    Attributes:
        name: `package.Service/rpc`.
        method: the rpc.
        deadline: seconds that gRPC gives the call; None if it has no deadline.
        request: what is sent.
        idempotent: whether the proto says that it may run twice (`idempotency_level`); None if it is not
            known what the proto says.
        configured: the `retry` of the proto; None if it has none, or is not known.
    """

    name: str
    method: Method
    deadline: float | None
    request: Request
    idempotent: bool | None = None
    configured: ConfiguredRetry | None = None

    @property
    def streaming(self) -> bool:
        """Whether requests or responses are streams."""
        return self.method.client_streaming or self.method.server_streaming

    @property
    def asks(self) -> bool:
        """Whether anything is asked of the sidecar: by this call, or by one with a timeout of its own."""
        asks = any(name in self.request.headers for name in ROUTER_HEADERS)
        return asks or not self.method.envoy.inherit_timeout

    @property
    def wanted(self) -> Retries | None:
        """The retries that the stub would ask a sidecar for, by whatever way it calls."""
        headers = {**self.request.headers, **dict(self.method.envoy.to_metadata())}
        request = replace(self.request, headers=headers)
        return retries(NO_RETRIES, "default", request, request, hedges=False)


def asked(
    dialled: Dialled, method: Method, environment: Environment, others: Sequence[tuple[str, str]]
) -> Asked:
    """What a stub asks for when it calls an rpc without further arguments.

    Args:
        dialled: the service, and how it is dialled.
        method: the rpc.
        environment: of this process.
        others: headers that calls have beside those of stubs, such as an interceptor adds.
    """
    service = dialled.subject.service
    assert service is not None
    plan = CallPlan(method, method.envoy, Headers.of(service, environment, dialled.dial.way))
    deadline, metadata = plan.resolve(None, tuple(others) or None, None)
    given = [(name, value) for name, value in metadata if isinstance(value, str)]
    request = _request(dialled.authority, method.path, deadline, given)
    rpc = rpc_of(service, method)
    return Asked(
        f"{service.name}/{method.name}",
        method,
        grpc_timeout(request.headers),
        request,
        None if rpc is None else is_idempotent(rpc),
        None if rpc is None else retry_of(rpc),
    )


def any_rpc(dialled: Dialled, environment: Environment, others: Sequence[tuple[str, str]]) -> Asked:
    """An rpc that nothing is known of, for a target without a service: unary, and without a policy.

    Args:
        dialled: the target, and how it is dialled.
        environment: of this process.
        others: headers that calls have.
    """
    from google.protobuf.empty_pb2 import Empty

    method = Method("/any.Service/Rpc", Empty, Empty)
    identity = Headers.of(Service("any.Service", method), environment, dialled.dial.way).identity
    given = [(name, value) for name, value in identity if isinstance(value, str)]
    request = _request(dialled.authority, method.path, None, (*given, *others))
    return Asked(dialled.subject.name, method, None, request)


def _request(
    authority: str, path: str, deadline: float | None, metadata: Iterable[tuple[str, str]]
) -> Request:
    """The request as grpc sends it."""
    headers = {
        ":authority": authority,
        ":method": "POST",
        ":path": path,
        ":scheme": "http",
        "content-type": "application/grpc",
        "te": "trailers",
        "user-agent": f"grpc-python/{grpc.__version__}",
        "grpc-accept-encoding": "identity, deflate, gzip",
    }
    if deadline is not None:
        in_ms = deadline <= _LONGEST_IN_MS
        headers["grpc-timeout"] = f"{round(deadline * 1000)}m" if in_ms else f"{round(deadline)}S"
    # The rest of these differs from host to host and from call to call.
    unsure = {"user-agent": f"grpc-python/{grpc.__version__} grpc-c/"}
    if deadline is not None:
        unsure["grpc-timeout"] = ""
    given = _values(metadata)
    headers |= {name: ",".join(values) for name, values in given.items()}
    repeated = {name: values for name, values in given.items() if len(values) > 1}
    return Request(authority, path, headers, unsure, repeated)


def _values(metadata: Iterable[tuple[str, str]]) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in metadata:
        if name in _SENT_ONCE:
            found[name] = [value]
        else:
            found.setdefault(name, []).append(value)
    return found
