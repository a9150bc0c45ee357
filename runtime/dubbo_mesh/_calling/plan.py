"""What goes with an outgoing call: its deadline and its metadata. The core that both kinds of stubs share."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, TypeVar

import grpc

from .._context.attachments import Metadata
from .._context.request import serving
from .._contract.envoy_headers import TIMEOUT_HEADER, EnvoyHeaders
from .._contract.header_checks import LONGEST_SECONDS, milliseconds
from .._contract.service import Method
from .headers import Headers

CallMetadata = Iterable[tuple[str, str | bytes]]

_VARIANTS_KEPT = 64
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

_QUALIFIED_BY = {
    "traceparent": "tracestate",
    "x-b3-spanid": "x-b3-parentspanid",
    "x-datadog-trace-id": "x-datadog-tags",  # which hold the upper half of a trace id of 128 bits
}
"""The second qualifies the first: beside a caller's own first, the request's second would be wrong."""

_TIMEOUT_SLACK_MS = 100
"""What Envoy gets on top of a deadline, so that the client's own timer fires first.

If both fired at the same moment, Envoy's `UNAVAILABLE: upstream request timeout` would win for some calls.
"""

EXPIRED = -1.0
"""The timeout, in seconds, of a call that is made after its deadline: grpc does not send it.

With a timeout of 0 it would: most such calls reach the server and run.
"""

_NOTHING: dict[str, Any] = {}
"""Not a `MappingProxyType`: `**` is several times as fast with a dict, and copies it."""


def given(
    credentials: grpc.CallCredentials | None,
    wait_for_ready: bool | None,
    compression: grpc.Compression | None,
) -> dict[str, Any]:
    """The arguments that are set, as keyword arguments.

    Channels need not know them all: `grpc_testing`'s, for one, takes no `compression`.
    """
    if credentials is None and wait_for_ready is None and compression is None:
        return _NOTHING
    arguments = {"credentials": credentials, "wait_for_ready": wait_for_ready, "compression": compression}
    return {name: value for name, value in arguments.items() if value is not None}


class CallPlan:
    """Resolves timeout and metadata for each call of one method by one stub.

    What does not change from call to call is worked out once, here.

    Args:
        method: the rpc.
        envoy: what is asked of Envoy.
        headers: the headers that go with every call.
    """

    __slots__ = (
        "_envoy",
        "_fixed",
        "_headers",
        "_method",
        "_pinned",
        "_timeout",
        "_variants",
        "_whole",
        "_with_timeout",
    )

    def __init__(self, method: Method, envoy: EnvoyHeaders, headers: Headers) -> None:
        self._method = method
        self._envoy = envoy
        self._headers = headers
        self._pinned: float | None = None
        self._timeout = envoy.timeout or None
        asked = envoy.to_metadata() if headers.envoy else ()
        self._fixed = headers.identity + tuple(pair for pair in asked if pair[0] != TIMEOUT_HEADER)
        self._whole = self._fixed + self.timeout_header(self._timeout)
        self._with_timeout: dict[float, Metadata] = {}
        self._variants: dict[tuple[EnvoyHeaders, bool], CallPlan] = {}

    def resolve(
        self, timeout: float | None, metadata: CallMetadata | None, envoy: EnvoyHeaders | None
    ) -> tuple[float | None, Metadata]:
        """The timeout (seconds) and the metadata to give to grpc, from the arguments of one call.

        Raises:
            TypeError: `envoy` is not an `EnvoyHeaders`.
            ValueError: `envoy` cannot be combined with what the stub asks for.
        """
        if envoy is not None:
            return self.variant(envoy, timeout is not None).resolve(timeout, metadata, None)
        if timeout is None:
            timeout, headers = self._timeout, self._whole
        else:
            headers = self._headers_with(timeout)
        mark = serving.get()
        if mark is not None and not mark.ended:
            request = mark.request
            if mark.bounded:
                remaining = request.time_remaining()
                if remaining is not None and (timeout is None or remaining < timeout):
                    timeout = remaining if remaining > 0 else EXPIRED
                    headers = self._fixed + self.timeout_header(remaining)
            headers += request.carried(self._headers.carried)
        if metadata is None:
            return timeout, headers
        return timeout, _beside(headers, metadata)

    def timeout_header(self, timeout: float | None) -> Metadata:
        """Envoy's timeout for a call with this deadline (seconds), so that no default cuts it short."""
        if self._envoy.inherit_timeout or not self._headers.envoy:
            return ()
        if self._pinned is not None and timeout != self._pinned:
            return ((TIMEOUT_HEADER, milliseconds(self._pinned)),)
        if timeout is not None:
            whole = math.ceil(min(timeout, LONGEST_SECONDS) * 1000)
            return ((TIMEOUT_HEADER, str(whole + _TIMEOUT_SLACK_MS)),)
        streaming = self._method.client_streaming or self._method.server_streaming
        if streaming or self._envoy.timeout == 0:
            return ((TIMEOUT_HEADER, "0"),)
        return ()

    def variant(self, envoy: EnvoyHeaders, has_timeout: bool) -> CallPlan:
        """The plan of one call that asks for `envoy` on top; kept, as callers tend to repeat themselves.

        Args:
            envoy: what the call asks for; it wins over what this plan has.
            has_timeout: whether the call has a timeout of its own, which takes the place of this plan's.
        """
        check_envoy(envoy)
        variant = self._variants.get((envoy, has_timeout))
        if variant is None:
            own = self._envoy.given()
            if has_timeout:
                own.pop("timeout", None)  # the call's takes its place, and may be longer
            variant = CallPlan(self._method, EnvoyHeaders(**own) | envoy, self._headers)
            # A call that names Envoy's timeout beside a deadline of its own means both.
            variant._pinned = envoy.timeout
            _keep(self._variants, (envoy, has_timeout), variant)
        return variant

    def _headers_with(self, timeout: float) -> Metadata:
        """The headers of a call with this timeout of its own; kept, as callers tend to repeat themselves."""
        headers = self._with_timeout.get(timeout)
        if headers is None:
            headers = self._fixed + self.timeout_header(timeout)
            _keep(self._with_timeout, timeout, headers)
        return headers


def check_envoy(envoy: object) -> None:
    """Checks the `envoy` argument of a stub or a call, where no type checker did.

    Raises:
        TypeError: it is not an `EnvoyHeaders`.
    """
    if not isinstance(envoy, EnvoyHeaders):
        raise TypeError(f"envoy must be a dubbo_mesh.EnvoyHeaders, not {type(envoy).__name__}")


def _keep(kept: dict[_Key, _Value], key: _Key, value: _Value) -> None:
    """Keeps a value for calls to come; not too many, as some callers never repeat themselves."""
    if len(kept) >= _VARIANTS_KEPT:
        kept.clear()
    kept[key] = value


def _beside(headers: Metadata, metadata: CallMetadata) -> Metadata:
    """The caller's own metadata with our headers, except those that the caller has set too."""
    own = tuple(metadata)
    if not own:
        return headers
    names = {key for key, _ in own}
    for name in tuple(names & _QUALIFIED_BY.keys()):
        names.add(_QUALIFIED_BY[name])
    return tuple(pair for pair in headers if pair[0] not in names) + own
