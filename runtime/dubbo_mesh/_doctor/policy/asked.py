"""What stubs ask for: the requests that they send, by the code that sends them."""

from __future__ import annotations

from dataclasses import dataclass

import grpc

from ..._addressing.environment import Environment
from ..._calling.headers import Headers
from ..._calling.plan import CallPlan
from ..._contract.service import Method
from ..addressing.dialling import Dialled
from ..envoy.request import Request

ROUTER_HEADERS = (
    "x-envoy-hedge-on-per-try-timeout",
    "x-envoy-max-retries",
    "x-envoy-retriable-header-names",
    "x-envoy-retriable-status-codes",
    "x-envoy-retry-grpc-on",
    "x-envoy-retry-on",
    "x-envoy-upstream-alt-stat-name",
    "x-envoy-upstream-rq-per-try-timeout-ms",
    "x-envoy-upstream-rq-timeout-alt-response",
    "x-envoy-upstream-rq-timeout-ms",
    "x-envoy-upstream-stream-duration-ms",
)
"""What Envoy removes from external requests."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One rpc, and the request of a call without arguments of its own.

    Attributes:
        name: `package.Service/rpc`.
        method: the rpc.
        deadline: seconds that gRPC gives the call; None if it has no deadline.
        request: what is sent.
    """

    name: str
    method: Method
    deadline: float | None
    request: Request

    @property
    def streaming(self) -> bool:
        """Whether requests or responses are streams."""
        return self.method.client_streaming or self.method.server_streaming

    @property
    def asks(self) -> bool:
        """Whether anything is asked of the sidecar: by this call, or by one with a timeout of its own."""
        asks = any(name in self.request.headers for name in ROUTER_HEADERS)
        return asks or not self.method.envoy.inherit_timeout

    def as_seen(self, *, internal: bool) -> Request:
        """The request as the router sees it."""
        if internal:
            return self.request
        headers = {k: v for k, v in self.request.headers.items() if k not in ROUTER_HEADERS}
        return Request(self.request.authority, self.request.path, headers)


def asked(dialled: Dialled, method: Method, environment: Environment) -> Asked:
    """What a stub asks for when it calls an rpc without further arguments."""
    service = dialled.subject.service
    assert service is not None
    plan = CallPlan(method, method.envoy, Headers.of(service, environment, dialled.dial.way))
    deadline, metadata = plan.resolve(None, None, None)
    headers = {
        ":authority": dialled.authority,
        ":method": "POST",
        ":path": method.path,
        ":scheme": "http",
        "content-type": "application/grpc",
        "te": "trailers",
        "user-agent": f"grpc-python/{grpc.__version__}",
        "grpc-accept-encoding": "identity, deflate, gzip",
        **{name: value for name, value in metadata if isinstance(value, str)},
    }
    if deadline is not None:
        headers["grpc-timeout"] = f"{int(deadline * 1000)}m"
    request = Request(dialled.authority, method.path, headers)
    return Asked(f"{service.name}/{method.name}", method, deadline, request)
