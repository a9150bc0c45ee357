"""What goes with an outgoing call: its deadline and its metadata. The core that the twin stubs share."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TypeVar

from .._addressing.environment import Environment
from .._context.attachments import Metadata
from .._context.request import serving
from .._contract.envoy_headers import LONGEST_SECONDS, TIMEOUT_HEADER, EnvoyHeaders, milliseconds
from .._contract.service import Method, Service

_VARIANTS_KEPT = 64
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

_WITH_IT = {
    "traceparent": "tracestate",
    "x-b3-spanid": "x-b3-parentspanid",
    "x-datadog-trace-id": "x-datadog-tags",  # which hold the upper half of a trace id of 128 bits
}
"""The second says more of the first: beside a caller's own first, the request's second would be untrue."""

_TIMEOUT_SLACK_MS = 100
"""What Envoy gets on top of a deadline, so that the client's own is the one that fires.

At the same time on both sides, Envoy's `UNAVAILABLE: upstream request timeout` wins the race for some calls.
"""


def plans(
    service: Service, envoy: EnvoyHeaders | None, environment: Environment
) -> Iterator[tuple[Method, CallPlan]]:
    """The methods of `service`, each with the plan of its calls.

    Args:
        service: the service to be called.
        envoy: what the stub asks of Envoy, over what the methods' own options ask.
        environment: who calls, and which headers travel on.
    """
    headers = _identity(service, environment)
    for method in service.methods.values():
        asked = method.envoy if envoy is None else method.envoy | envoy
        yield method, CallPlan(method, asked, headers, environment.carried)


def _identity(service: Service, environment: Environment) -> Metadata:
    """The headers that say who calls whom, as Triple has them; only what is configured."""
    headers: list[tuple[str, str]] = []
    if environment.app is not None:
        headers.append(("tri-consumer-appname", environment.app))
    if service.version is not None:
        headers.append(("tri-service-version", service.version))
    if service.group is not None:
        headers.append(("tri-service-group", service.group))
    if environment.forwarded_for is not None and environment.mode == "sidecar":
        headers.append(("x-forwarded-for", environment.forwarded_for))
    return tuple(headers)


class CallPlan:
    """Settles timeout and metadata for each call of one method by one stub.

    What does not change from call to call is worked out once, here.

    Args:
        method: the rpc.
        envoy: what is asked of Envoy.
        identity: the headers that say who calls whom.
        carried: names of the headers that travel from a request to the calls made while serving it.
    """

    __slots__ = (
        "_carried",
        "_envoy",
        "_fixed",
        "_headers",
        "_identity",
        "_method",
        "_pinned",
        "_timeout",
        "_variants",
        "_with_timeout",
    )

    def __init__(
        self, method: Method, envoy: EnvoyHeaders, identity: Metadata, carried: frozenset[str]
    ) -> None:
        self._method = method
        self._identity = identity
        self._carried = carried
        self._envoy = envoy
        self._pinned: float | None = None
        self._timeout = self._envoy.timeout or None
        self._fixed = identity + tuple(
            pair for pair in self._envoy.to_metadata() if pair[0] != TIMEOUT_HEADER
        )
        self._headers = self._fixed + self._timeout_header(self._timeout)
        self._with_timeout: dict[float, Metadata] = {}
        self._variants: dict[tuple[EnvoyHeaders, bool], CallPlan] = {}

    def settle(
        self,
        timeout: float | None,
        metadata: Iterable[tuple[str, str | bytes]] | None,
        envoy: EnvoyHeaders | None,
    ) -> tuple[float | None, Metadata]:
        """The timeout (seconds) and the metadata to give to grpc, from the arguments of one call."""
        if envoy is not None:
            return self._with(envoy, timeout is not None).settle(timeout, metadata, None)
        if timeout is None:
            timeout, headers = self._timeout, self._headers
        else:
            headers = self._headers_with(timeout)
        mark = serving.get()
        if mark is not None and not mark.ended:
            request = mark.request
            if mark.bounded:
                remaining = request.time_remaining()
                if remaining is not None and (timeout is None or remaining < timeout):
                    timeout = remaining
                    headers = self._fixed + self._timeout_header(remaining)
            headers += request.carried(self._carried)
        if metadata is None:
            return timeout, headers
        return timeout, _beside(headers, metadata)

    def _headers_with(self, timeout: float) -> Metadata:
        """The headers of a call with this timeout of its own; kept, as callers tend to repeat themselves."""
        headers = self._with_timeout.get(timeout)
        if headers is None:
            headers = self._fixed + self._timeout_header(timeout)
            _keep(self._with_timeout, timeout, headers)
        return headers

    def _timeout_header(self, timeout: float | None) -> Metadata:
        """Envoy's timeout for a call with this deadline, so that no default of Envoy's cuts it short."""
        if self._envoy.inherit_timeout:
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

    def _with(self, envoy: EnvoyHeaders, has_timeout: bool) -> CallPlan:
        """This plan with one call's wishes merged over it; kept, as callers tend to repeat themselves."""
        variant = self._variants.get((envoy, has_timeout))
        if variant is None:
            own = self._envoy.given()
            if has_timeout:
                own.pop("timeout", None)  # the call's stands in its place, and may be longer
            merged = EnvoyHeaders(**own) | envoy
            variant = CallPlan(self._method, merged, self._identity, self._carried)
            # A call that names Envoy's timeout beside a deadline of its own means both.
            variant._pinned = envoy.timeout
            _keep(self._variants, (envoy, has_timeout), variant)
        return variant


def _keep(kept: dict[_Key, _Value], key: _Key, value: _Value) -> None:
    """Keeps a value for calls to come, among not too many: callers may also never repeat themselves."""
    if len(kept) >= _VARIANTS_KEPT:
        kept.clear()
    kept[key] = value


def _beside(headers: Metadata, metadata: Iterable[tuple[str, str | bytes]]) -> Metadata:
    """The caller's own metadata with our headers, less those that the caller has set too."""
    own = tuple(metadata)
    if not own:
        return headers
    names = {key for key, _ in own}
    for name in tuple(names & _WITH_IT.keys()):
        names.add(_WITH_IT[name])
    return tuple(pair for pair in headers if pair[0] not in names) + own
