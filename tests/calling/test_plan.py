"""What goes with a call: method, stub and call merged in that order, without a network."""

from __future__ import annotations

import pytest
from google.protobuf.wrappers_pb2 import StringValue

from dubbo_mesh import Environment, EnvoyHeaders, Method, Service
from dubbo_mesh._calling.headers import Headers
from dubbo_mesh._calling.plan import CallPlan

TIMEOUT = "x-envoy-upstream-rq-timeout-ms"
PER_TRY = "x-envoy-upstream-rq-per-try-timeout-ms"


def plan(method: EnvoyHeaders | None = None, stub: EnvoyHeaders | None = None) -> CallPlan:
    rpc = Method("/a.B/c", StringValue, StringValue, envoy=method or EnvoyHeaders())
    headers = Headers.of(Service("a.B", rpc), Environment(), "sidecar")
    return CallPlan(rpc, rpc.envoy if stub is None else rpc.envoy | stub, headers)


def test_nothing_asked_is_nothing_sent() -> None:
    assert plan().resolve(None, None, None) == (None, ())


def test_call_wins_over_stub_wins_over_method() -> None:
    three = plan(
        EnvoyHeaders(max_retries=1, retry_on="5xx", upstream_alt_stat_name="m"),
        EnvoyHeaders(max_retries=2, upstream_alt_stat_name="s"),
    )
    _, headers = three.resolve(None, None, EnvoyHeaders(max_retries=3))
    assert dict(headers) == {
        "x-envoy-max-retries": "3",
        "x-envoy-retry-on": "5xx",
        "x-envoy-upstream-alt-stat-name": "s",
    }


def test_a_calls_timeout_stands_in_place_of_the_methods_before_anything_is_merged() -> None:
    short = plan(EnvoyHeaders(timeout=3))
    timeout, headers = short.resolve(10, None, EnvoyHeaders(per_try_timeout=5))
    assert timeout == 10
    assert dict(headers) == {TIMEOUT: "10100", PER_TRY: "5000"}
    with pytest.raises(ValueError, match="per_try_timeout"):
        short.resolve(None, None, EnvoyHeaders(per_try_timeout=5))


def test_a_call_that_names_both_timeouts_means_both() -> None:
    timeout, headers = plan().resolve(10, None, EnvoyHeaders(timeout=2))
    assert timeout == 10
    assert dict(headers) == {TIMEOUT: "2000"}


def test_what_the_caller_sets_itself_is_not_sent_twice() -> None:
    own = (("x-envoy-max-retries", "9"), ("x-mine", "1"))
    _, headers = plan(EnvoyHeaders(max_retries=1, retry_on="reset")).resolve(None, own, None)
    assert sorted(headers) == [("x-envoy-max-retries", "9"), ("x-envoy-retry-on", "reset"), ("x-mine", "1")]


def test_kept_variants_do_not_grow_without_bound() -> None:
    many = plan()
    for retries in range(500):
        _, headers = many.resolve(None, None, EnvoyHeaders(max_retries=retries))
        assert headers == (("x-envoy-max-retries", str(retries)),)
    assert len(many._variants) <= 64  # pyright: ignore[reportPrivateUsage]  # no other way to see it


def test_headers_kept_for_timeouts_do_not_grow_without_bound() -> None:
    many = plan()
    for timeout in range(1, 500):
        assert many.resolve(timeout, None, None) == (timeout, ((TIMEOUT, f"{timeout}100"),))
    assert len(many._with_timeout) <= 64  # pyright: ignore[reportPrivateUsage]  # no other way to see it
