"""`current_request()`: what a sidecar says, and whatever else may come."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dubbo_mesh import ClientCert, RequestContext
from dubbo_mesh._context.request import Serving
from tests.calling.chain import Metadata

NAMES = st.sampled_from(
    [
        "x-request-id",
        "x-envoy-attempt-count",
        "x-envoy-expected-rq-timeout-ms",
        "x-envoy-downstream-service-cluster",
        "x-envoy-downstream-service-node",
        "x-envoy-internal",
        "x-envoy-external-address",
        "x-forwarded-client-cert",
        "tri-consumer-appname",
        "tri-header-convert",
        "dubbo.tag",
        "traceparent",
        "grpc-status",
        "key",
        "key-bin",
    ]
)


class Context:
    def __init__(self, metadata: Metadata | None = (), remaining: float | None = None) -> None:
        self._metadata = metadata
        self._remaining = remaining

    def invocation_metadata(self) -> Metadata | None:
        return self._metadata

    def time_remaining(self) -> float | None:
        return self._remaining


def request(**headers: str | bytes) -> RequestContext:
    return RequestContext(Context(tuple((name.replace("_", "-"), value) for name, value in headers.items())))


def test_what_envoy_and_the_caller_say() -> None:
    began = time.time()
    told = RequestContext(
        Context(
            (
                ("x-request-id", "id"),
                ("x-envoy-attempt-count", "2"),
                ("x-envoy-expected-rq-timeout-ms", "1500"),
                ("tri-consumer-appname", "shop"),
                ("x-envoy-downstream-service-cluster", "cluster"),
                ("x-envoy-downstream-service-node", "node"),
                ("x-envoy-internal", "true"),
                ("x-envoy-external-address", "203.0.113.9"),
                ("x-forwarded-client-cert", "Hash=ab"),
                ("x-forwarded-client-cert", "URI=spiffe://x"),
                ("dubbo.tag", "gray"),
                ("traceid", "t"),
                ("tri-header-convert", "%7B%22traceid%22%3A%22traceId%22%7D"),
                ("key-bin", b"\0"),
            ),
            remaining=5.0,
        )
    )
    assert told.request_id == "id"
    assert told.attempt == 2
    assert told.expected_timeout == 1.5
    assert told.caller_app == "shop"
    assert told.caller_cluster == "cluster"
    assert told.caller_node == "node"
    assert told.internal
    assert told.external_address == "203.0.113.9"
    assert told.client_certs == (ClientCert(hash="ab"), ClientCert(uri=("spiffe://x",)))
    assert told.client_cert == ClientCert(uri=("spiffe://x",))
    assert told.dubbo_tag == "gray"
    assert told.attachments == {"traceId": "t", "key": b"\0"}
    # It was counted by another clock: these two may differ by a little, and a slow machine takes its time.
    assert told.deadline == pytest.approx(began + 5, abs=60)


def test_of_what_nobody_says_nothing_is_made_up() -> None:
    silent = RequestContext(Context(None))
    assert silent.metadata == ()
    assert silent.attachments == {}
    assert not silent.internal
    assert silent.client_certs == ()
    assert [
        silent.request_id,
        silent.attempt,
        silent.expected_timeout,
        silent.deadline,
        silent.time_remaining(),
        silent.caller_app,
        silent.caller_cluster,
        silent.caller_node,
        silent.external_address,
        silent.client_cert,
        silent.dubbo_tag,
    ] == [None] * 11


@pytest.mark.parametrize(
    "value", ["", "-1", "1.5", "1e3", " 1", "٣", "²", "0x10", "9" * 16, "9" * 5000, b"1"]
)
def test_a_number_that_is_none_says_nothing(value: str | bytes) -> None:
    assert request(x_envoy_attempt_count=value).attempt is None
    assert request(x_envoy_expected_rq_timeout_ms=value).expected_timeout is None


@pytest.mark.parametrize("value", ["TRUE", "1", "true ", "yes", "", b"true"])
def test_only_envoys_own_word_makes_a_request_internal(value: str | bytes) -> None:
    assert not request(x_envoy_internal=value).internal


@pytest.mark.parametrize("remaining", [None, 1e10, 9.2e18, math.inf])
def test_a_deadline_that_never_comes_is_none(remaining: float | None) -> None:
    assert RequestContext(Context((), remaining)).deadline is None
    assert RequestContext(Context((), remaining)).time_remaining() is None


def test_a_context_that_knows_of_no_deadlines_has_none() -> None:
    class StandIn:
        def invocation_metadata(self) -> Metadata:
            return ()

    stand_in: Any = StandIn()
    assert Serving(stand_in).request.deadline is None


@pytest.mark.parametrize("remaining", [0.0, -1.0, -1e9])
def test_a_deadline_that_has_passed_leaves_no_time(remaining: float) -> None:
    assert RequestContext(Context((), remaining)).time_remaining() == 0


@pytest.mark.parametrize("seconds", [3600.0, -3600.0])
def test_the_time_that_is_left_is_counted_by_a_clock_that_nobody_sets(seconds: float) -> None:
    asked = RequestContext(Context((), 5.0))
    actual = time.time
    with mock.patch.object(time, "time", side_effect=lambda: actual() + seconds):
        left = asked.time_remaining()
        assert left is not None
        assert 0 < left <= 5
        # An epoch time is one by the clock as it is set when it is asked for, and then stays.
        deadline = asked.deadline
        assert deadline is not None
        assert deadline - time.time() == pytest.approx(left, abs=60)
    assert asked.deadline == deadline


@given(
    st.lists(st.tuples(NAMES | st.text(), st.text() | st.binary())),
    st.none() | st.floats(allow_nan=False),
)
def test_any_request_can_be_asked_anything(
    metadata: list[tuple[str, str | bytes]], remaining: float | None
) -> None:
    asked = RequestContext(Context(tuple(metadata), remaining))
    assert asked.metadata == tuple(metadata)
    assert asked.attempt is None or asked.attempt >= 0
    assert asked.expected_timeout is None or asked.expected_timeout >= 0
    assert isinstance(asked.internal, bool)
    assert isinstance(asked.attachments, Mapping)
    assert asked.client_cert is None or isinstance(asked.client_cert, ClientCert)
    left = asked.time_remaining()
    assert left is None or left >= 0
    for text in (
        asked.request_id,
        asked.caller_app,
        asked.caller_cluster,
        asked.caller_node,
        asked.external_address,
        asked.dubbo_tag,
    ):
        assert text is None or isinstance(text, str)
    assert set(asked.carried(frozenset({"key"}))) <= {pair for pair in metadata if pair[0] == "key"}
