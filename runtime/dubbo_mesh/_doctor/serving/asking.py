"""Asks a server by gRPC's own client, and takes whatever it answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import grpc

from .address import Endpoint

_OPTIONS = (("grpc.enable_http_proxy", 0),)
NO_TEXT = "(no text)"


class Reply(NamedTuple):
    """How a call ended.

    Attributes:
        code: its status.
        details: the status's text.
        message: the response as it came; None if there was none.
    """

    code: grpc.StatusCode
    details: str
    message: bytes | None

    def __str__(self) -> str:
        return f"{self.code.name}: {self.details or NO_TEXT}"


def open_channel(endpoint: Endpoint) -> grpc.Channel:
    """A channel in clear text."""
    return grpc.insecure_channel(str(endpoint), _OPTIONS)


def ask_all(channel: grpc.Channel, path: str, requests: Sequence[bytes], timeout: float) -> list[Reply]:
    """Makes unary calls of one rpc at the same time.

    Requests and responses are bytes: grpc would print the traceback of a deserializer that fails.

    Args:
        channel: to the server.
        path: of the rpc.
        requests: a serialized request for each call.
        timeout: seconds that all of them may take.
    """
    callable_ = cast("Any", channel).unary_unary(path)
    calls = [callable_.future(request, timeout=timeout) for request in requests]
    return [_reply(call) for call in calls]


def _reply(call: Any) -> Reply:
    code: grpc.StatusCode = call.code()  # waits for the end of the call
    message = call.result() if code is grpc.StatusCode.OK else None
    return Reply(code, str(call.details() or ""), message)


def knows(channel: grpc.Channel, path: str, timeout: float) -> bool | None:
    """Whether a server has a handler for an rpc with one request; None if that cannot be known.

    The call is ended without a request, so that no handler runs: gRPC's servers refuse it, each in words of
    its own. Those that do not know the rpc say UNIMPLEMENTED.

    Args:
        channel: to the server.
        path: of the rpc.
        timeout: seconds at most.
    """
    callable_ = cast("Any", channel).stream_unary(path)
    call = callable_.future(iter(()), timeout=timeout)
    code = call.code()
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return any(words in str(call.details() or "").lower() for words in _LACKS_A_REQUEST)
    unknown = (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE, *REFUSALS)
    return None if code in unknown else True


REFUSALS = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)
"""What interceptors answer to those whom they do not let in."""

_LACKS_A_REQUEST = ("exactly one request", "no request", "no message")
"""What grpcio's, and grpc-js's, servers say with UNIMPLEMENTED about rpcs that they know."""
