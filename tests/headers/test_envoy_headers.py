"""EnvoyHeaders refuses what cannot be sent or Envoy would ignore, and merges field by field."""

from __future__ import annotations

import copy
import pickle
import sys
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest
from google.protobuf.wrappers_pb2 import StringValue
from hypothesis import given
from hypothesis import strategies as st

import dubbo_mesh
from dubbo_mesh import EnvoyHeaders
from dubbo_mesh._calling.headers import Headers
from dubbo_mesh._calling.plan import CallPlan
from dubbo_mesh._contract.header_checks import LONGEST_SECONDS, RETRIES_SLOW_ATTEMPTS, RETRY_GRPC_ON, RETRY_ON

FIELDS = [each.name for each in fields(EnvoyHeaders)]
DURATIONS = ["timeout", "per_try_timeout", "stream_duration"]
FLAGS = ["inherit_timeout", "hedge_on_per_try_timeout", "timeout_alt_response", "force_trace"]
TEXTS = ["upstream_alt_stat_name", "decorator_operation", "client_trace_id", "original_dst_host"]
PER_TRY, WHOLE = "x-envoy-upstream-rq-per-try-timeout-ms", "x-envoy-upstream-rq-timeout-ms"

NO_DURATIONS: list[Any] = [
    *(-1, -0.001, float("nan"), float("inf"), "3", True, b"1", [], timedelta(seconds=-1)),
    *(LONGEST_SECONDS + 1, 10**400),
]
NO_FLAGS: list[Any] = [1, 0, "true", ""]
NO_TEXTS: list[Any] = ["", "a\r\nb: c", "a\nb", "\0", "é", " a", "a ", b"a", 1, []]
NO_LISTS: list[Any] = [5, True, b"503", [[]], [None], [""], ["a\r\nb"], ["a,b"], "é"]
BAD: dict[str, list[Any]] = {
    **dict.fromkeys(DURATIONS, NO_DURATIONS),
    **dict.fromkeys(FLAGS, NO_FLAGS),
    **dict.fromkeys(TEXTS, NO_TEXTS),
    "original_dst_host": [*NO_TEXTS, "10.0.0.1", "localhost:80", "10.0.0.1:0", "10.0.0.1:65536", "::1:80"],
    "max_retries": [-1, 2**31, 1.0, True, "1"],
    "retry_on": [*NO_LISTS, "", "5XX", "unavailable", ["5xx", "nonsense"], "5xx,,reset"],
    "retry_grpc_on": [*NO_LISTS, "", "UNAVAILABLE", "5xx", "deadline_exceeded"],
    "retriable_status_codes": [*NO_LISTS, "503", [99], [600], ["503"], [503.0]],
    "retriable_header_names": [*NO_LISTS, "", "a b", "a:", ":status"],
}


@pytest.mark.parametrize(
    ("name", "bad"),
    [(name, bad) for name, values in BAD.items() for bad in values],
    ids=lambda value: repr(value)[:40],
)
def test_a_bad_value_is_refused_by_the_name_of_its_field(name: str, bad: Any) -> None:
    with pytest.raises(ValueError, match=rf"^{name}\b"):
        EnvoyHeaders(**{name: bad})


def test_every_field_has_values_that_are_refused() -> None:
    assert set(BAD) == set(FIELDS)


def test_nothing_said_is_nothing_sent() -> None:
    assert EnvoyHeaders().to_metadata() == ()
    assert repr(EnvoyHeaders()) == "EnvoyHeaders()"
    assert EnvoyHeaders() == EnvoyHeaders(**dict.fromkeys(FIELDS))


@pytest.mark.parametrize(
    ("headers", "sent"),
    [
        (EnvoyHeaders(timeout=0), {WHOLE: "0"}),
        (EnvoyHeaders(timeout=timedelta(minutes=1)), {WHOLE: "60000"}),
        (EnvoyHeaders(timeout=1e-9), {WHOLE: "1"}),
        (EnvoyHeaders(timeout=1, inherit_timeout=True), {}),
        (EnvoyHeaders(timeout=1, inherit_timeout=False), {WHOLE: "1000"}),
        (EnvoyHeaders(max_retries=0), {"x-envoy-max-retries": "0"}),
        (EnvoyHeaders(retry_on="5xx, reset,5xx"), {"x-envoy-retry-on": "5xx,reset"}),
        (
            EnvoyHeaders(retry_on=["retriable-headers"], retriable_header_names=["X-A", "x-b"]),
            {"x-envoy-retry-on": "retriable-headers", "x-envoy-retriable-header-names": "X-A,x-b"},
        ),
        (
            EnvoyHeaders(retriable_status_codes=(code for code in (503, 429, 503))),
            {"x-envoy-retry-on": "retriable-status-codes", "x-envoy-retriable-status-codes": "503,429"},
        ),
        (EnvoyHeaders(hedge_on_per_try_timeout=False), {"x-envoy-hedge-on-per-try-timeout": "false"}),
        # Envoy looks whether these are there, not what they say.
        (EnvoyHeaders(timeout_alt_response=False, force_trace=False), {}),
        (
            EnvoyHeaders(original_dst_host="[2001:db8::1]:80"),
            {"x-envoy-original-dst-host": "[2001:db8::1]:80"},
        ),
    ],
)
def test_what_is_sent(headers: EnvoyHeaders, sent: dict[str, str]) -> None:
    assert dict(headers.to_metadata()) == sent


durations = st.one_of(
    st.floats(0, LONGEST_SECONDS),
    st.integers(0, LONGEST_SECONDS),
    st.timedeltas(timedelta(0), timedelta(days=10_000)),
)
texts = st.from_regex(r"[!-~]([ -~]{0,20}[!-~])?", fullmatch=True)
STRATEGIES: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(DURATIONS, durations),
    **dict.fromkeys(FLAGS, st.booleans()),
    **dict.fromkeys(TEXTS, texts),
    "max_retries": st.integers(0, 2**31 - 1),
    "retry_on": st.lists(st.sampled_from(RETRY_ON)),
    "retry_grpc_on": st.lists(st.sampled_from(RETRY_GRPC_ON)),
    "retriable_status_codes": st.lists(st.integers(100, 599)),
    "retriable_header_names": st.lists(st.from_regex(r"[A-Za-z0-9_-]{1,9}", fullmatch=True)),
    "original_dst_host": st.builds("{}:{}".format, st.ip_addresses(v=4), st.integers(1, 65535)),
}
without_per_try = {name: values for name, values in STRATEGIES.items() if name != "per_try_timeout"}
headers = st.fixed_dictionaries({}, optional=without_per_try).map(lambda values: EnvoyHeaders(**values))


@given(headers)
def test_what_is_accepted_can_be_sent(asked: EnvoyHeaders) -> None:
    sent = asked.to_metadata()
    assert len({name for name, _ in sent}) == len(sent)
    for name, value in sent:
        assert name == name.lower()
        assert value == value.strip()
        assert value
        assert value.isascii()
        assert value.isprintable()
        if name.endswith("-ms"):
            assert 0 <= int(value) < 2**63


@given(headers)
def test_copies_are_equal(asked: EnvoyHeaders) -> None:
    assert pickle.loads(pickle.dumps(asked)) == asked
    assert copy.deepcopy(asked) == asked
    assert replace(asked) == asked
    assert eval(repr(asked), {"EnvoyHeaders": EnvoyHeaders}) == asked
    assert len({asked, copy.copy(asked)}) == 1


@given(headers, headers, headers)
def test_merging_takes_each_field_from_the_last_that_says_it(
    a: EnvoyHeaders, b: EnvoyHeaders, c: EnvoyHeaders
) -> None:
    for name in FIELDS:
        values = [getattr(each, name) for each in (a, b, c) if getattr(each, name) is not None]
        assert getattr(a | b | c, name) == (values[-1] if values else None)
    assert (a | b) | c == a | (b | c)
    assert a | EnvoyHeaders() == EnvoyHeaders() | a == a


@given(whole=durations, per_try=durations)
def test_a_per_try_timeout_is_below_the_whole_one_or_refused(whole: Any, per_try: Any) -> None:
    try:
        asked = EnvoyHeaders(timeout=whole, per_try_timeout=per_try)
    except ValueError as error:
        assert str(error).startswith("per_try_timeout")  # noqa: PT017 - there need not be one
        assert int(dict(EnvoyHeaders(timeout=per_try).to_metadata())[WHOLE]) >= int(
            dict(EnvoyHeaders(timeout=whole).to_metadata())[WHOLE]
        )
    else:
        sent = dict(asked.to_metadata())
        assert int(sent[PER_TRY]) < int(sent[WHOLE]) or sent[WHOLE] == "0"


def test_a_per_try_timeout_that_rounds_to_the_whole_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^per_try_timeout must be below timeout \(1 s\), not 0\.9999 s"):
        EnvoyHeaders(timeout=1, per_try_timeout=0.9999)


def test_a_shorter_timeout_drops_a_per_try_timeout_from_below() -> None:
    method = EnvoyHeaders(timeout=3, per_try_timeout=1, max_retries=2)
    assert method | EnvoyHeaders(timeout=0.5) == EnvoyHeaders(timeout=0.5, max_retries=2)
    assert method | EnvoyHeaders(timeout=2) == EnvoyHeaders(timeout=2, per_try_timeout=1, max_retries=2)
    assert method | EnvoyHeaders(timeout=0) == EnvoyHeaders(timeout=0, per_try_timeout=1, max_retries=2)
    with pytest.raises(ValueError, match=r"^per_try_timeout"):
        _ = method | EnvoyHeaders(per_try_timeout=3)


def test_an_empty_list_takes_back_what_stands_below() -> None:
    method = EnvoyHeaders(retry_on="reset", retriable_status_codes=[503], max_retries=2)
    call = EnvoyHeaders(retry_on=(), retriable_status_codes=())
    assert (method | call).to_metadata() == (("x-envoy-max-retries", "2"),)


def test_merging_is_for_envoy_headers_only() -> None:
    anything: Any = {"timeout": 3}
    with pytest.raises(TypeError):
        _ = EnvoyHeaders() | anything


def test_a_call_wins_over_the_stub_and_that_over_the_method() -> None:
    method = dubbo_mesh.Method(
        "/test.Echo/unary",
        StringValue,
        StringValue,
        envoy=EnvoyHeaders(max_retries=1, retry_on="reset", client_trace_id="method", timeout=9),
    )
    plan = CallPlan(
        method, method.envoy | EnvoyHeaders(max_retries=2, client_trace_id="stub"), Headers((), frozenset())
    )

    timeout, sent = plan.resolve(None, None, EnvoyHeaders(client_trace_id="call"))

    assert timeout == 9
    assert dict(sent) == {
        WHOLE: "9100",
        "x-envoy-retry-on": "reset",
        "x-envoy-max-retries": "2",
        "x-client-trace-id": "call",
    }


ENDS_CALLS: list[dict[str, Any]] = [
    {"retry_on": "connect-failure"},
    {"retry_grpc_on": "unavailable"},
    {"retry_on": "connect-failure,refused-stream", "retry_grpc_on": "unavailable", "timeout": 3},
    {"retriable_status_codes": [504]},
    {"retriable_header_names": "x-busy", "max_retries": 3},
    {"retry_on": "reset-before-request", "hedge_on_per_try_timeout": False},
]
DOES_NOT: list[dict[str, Any]] = [
    *({"retry_on": policy} for policy in sorted(RETRIES_SLOW_ATTEMPTS)),
    {"retry_on": "connect-failure,reset", "retry_grpc_on": "unavailable"},
    {"retry_on": "connect-failure", "hedge_on_per_try_timeout": True},
    # The route's own policy may have what it takes; or no retry is wanted.
    {},
    {"max_retries": 2},
    {"retry_on": ()},
    {"retry_on": "connect-failure", "max_retries": 0},
]
"""Beside a per-try timeout. That it is so is measured on Envoy in test_per_try_timeouts.py."""


@pytest.mark.parametrize("beside", ENDS_CALLS, ids=str)
def test_a_per_try_timeout_that_ends_calls_is_warned_of_where_it_is_asked_for(beside: dict[str, Any]) -> None:
    with pytest.warns(
        UserWarning, match=r"^per_try_timeout ends the call .* reset, 5xx or gateway-error"
    ) as seen:
        asked = EnvoyHeaders(per_try_timeout=0.5, **beside)
    assert [each.filename for each in seen] == [__file__]
    with pytest.warns(UserWarning, match=r"^per_try_timeout") as seen:
        replace(asked, per_try_timeout=0.6)
    assert [each.filename for each in seen] == [__file__]
    if sys.version_info >= (3, 13):
        with pytest.warns(UserWarning, match=r"^per_try_timeout") as seen:
            copy.replace(asked, per_try_timeout=0.6)
        assert [each.filename for each in seen] == [__file__]


@pytest.mark.parametrize("beside", DOES_NOT, ids=str)
def test_a_per_try_timeout_that_is_retried_is_not_warned_of(beside: dict[str, Any]) -> None:
    EnvoyHeaders(per_try_timeout=0.5, **beside)  # any warning fails the test


@pytest.mark.parametrize("beside", ENDS_CALLS, ids=str)
def test_merging_warns_of_nothing(beside: dict[str, Any]) -> None:
    merged = EnvoyHeaders(per_try_timeout=0.5) | EnvoyHeaders(**beside)
    assert merged.per_try_timeout == 0.5
    method = dubbo_mesh.Method("/test.Echo/unary", StringValue, StringValue, envoy=merged)
    CallPlan(method, merged, Headers((), frozenset())).resolve(None, None, EnvoyHeaders(client_trace_id="x"))


def test_of_what_was_generated_the_generator_has_warned() -> None:
    generated = """
import dubbo_mesh
dubbo_mesh.require_api(1, __name__)
HEADERS = dubbo_mesh.EnvoyHeaders(per_try_timeout=0.5, retry_on="connect-failure")
"""
    module: dict[str, Any] = {"__name__": "tests.headers.greeter_mesh"}
    exec(generated, module)
    assert module["HEADERS"].per_try_timeout == 0.5
    # And not of what users write, in whatever module.
    with pytest.warns(UserWarning, match=r"^per_try_timeout"):
        exec(
            generated.replace("dubbo_mesh.require_api(1, __name__)", ""),
            {"__name__": "tests.headers.greeter"},
        )
