"""Envoys on the files that are emitted with `policy=routes`, called by stubs that ask for nothing."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from tests.plain_envoy.cafe import Cafe, Handler
from tests.plain_envoy.calling import Caller, caller
from tests.plain_envoy.emitted import Emitted

ORDERS = "/cafe.Orders"


@pytest.fixture(scope="module")
def parameters() -> tuple[str, ...]:
    return ("policy=routes",)


@contextmanager
def consumer(emitted: Emitted, *edits: tuple[str, str]) -> Generator[Caller]:
    """A caller beside an Envoy, on what is emitted or an edited version of that."""
    with (
        emitted.envoy("consumer", *edits),
        caller(emitted.variables("consumer")["DUBBO_MESH_EGRESS"]) as calls,
    ):
        yield calls


def until_it_is_cancelled(context: grpc.ServicerContext) -> None:
    ended = threading.Event()
    if context.add_callback(ended.set):
        ended.wait(10)


def slow(before: int, context: grpc.ServicerContext) -> StringValue:
    until_it_is_cancelled(context)
    return StringValue(value="too late")


def slow_at_first(before: int, context: grpc.ServicerContext) -> StringValue:
    return slow(before, context) if before == 0 else StringValue(value="done")


def busy_at_first(before: int, context: grpc.ServicerContext) -> StringValue:
    if before < 2:
        context.abort(grpc.StatusCode.UNAVAILABLE, "busy")
    return StringValue(value="done")


def full_at_first(before: int, context: grpc.ServicerContext) -> StringValue:
    if before == 0:
        context.set_trailing_metadata((("x-full", "1"),))
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "full")
    return StringValue(value="done")


def drip(context: grpc.ServicerContext) -> Iterator[StringValue]:
    """Sends something for longer than the timeouts in the proto."""
    ended = threading.Event()
    context.add_callback(ended.set)
    for number in range(4):
        yield StringValue(value=str(number))
        ended.wait(0.2)


class TestRetries:
    @pytest.mark.parametrize(
        ("rpc", "handler", "attempts"),
        [("Order", busy_at_first, 3), ("Grill", slow_at_first, 2), ("Seat", full_at_first, 2)],
        ids=["unavailable", "per-try timeout", "header"],
    )
    def test_are_made_where_they_are_asked_for(
        self, emitted: Emitted, cafe: Cafe, rpc: str, handler: Handler, attempts: int
    ) -> None:
        path = f"{ORDERS}/{rpc}"
        cafe.answers[path] = handler
        with consumer(emitted) as calls:
            assert calls.call(path) == "done"
        assert len(cafe.attempts[path]) == attempts

    @pytest.mark.parametrize(
        ("rpc", "handler", "edit"),
        [
            ("Order", busy_at_first, ("retry_on: unavailable", 'retry_on: ""')),
            ("Seat", full_at_first, ("present_match: true", "present_match: false")),
        ],
        ids=["unavailable", "header"],
    )
    def test_are_not_made_if_the_route_has_none(
        self, emitted: Emitted, cafe: Cafe, rpc: str, handler: Handler, edit: tuple[str, str]
    ) -> None:
        path = f"{ORDERS}/{rpc}"
        cafe.answers[path] = handler
        with consumer(emitted, edit) as calls, pytest.raises(grpc.RpcError):
            calls.call(path)
        assert len(cafe.attempts[path]) == 1

    def test_are_not_made_where_nobody_asks_for_them(self, emitted: Emitted, cafe: Cafe) -> None:
        cafe.answers[f"{ORDERS}/Cook"] = busy_at_first
        with consumer(emitted) as calls, pytest.raises(grpc.RpcError, match="busy"):
            calls.call(f"{ORDERS}/Cook")
        assert len(cafe.attempts[f"{ORDERS}/Cook"]) == 1

    def test_are_not_made_for_the_headers_of_a_caller(self, emitted: Emitted, cafe: Cafe) -> None:
        cafe.answers[f"{ORDERS}/Cook"] = busy_at_first
        with consumer(emitted) as calls, pytest.raises(grpc.RpcError, match="busy"):
            calls.call(
                f"{ORDERS}/Cook", ("x-envoy-retry-grpc-on", "unavailable"), ("x-envoy-max-retries", "2")
            )
        assert len(cafe.attempts[f"{ORDERS}/Cook"]) == 1


class TestHedging:
    """The second attempt is never answered, and the first one late."""

    @pytest.fixture
    def late(self) -> Iterator[Handler]:
        second_has_begun = threading.Event()

        def answer(before: int, context: grpc.ServicerContext) -> StringValue:
            if before:
                second_has_begun.set()
                return slow(before, context)
            second_has_begun.wait(10)
            return StringValue(value="the first")

        yield answer
        second_has_begun.set()

    def test_the_first_attempt_goes_on_beside_the_second(
        self, emitted: Emitted, cafe: Cafe, late: Handler
    ) -> None:
        cafe.answers[f"{ORDERS}/Toast"] = late
        with consumer(emitted) as calls:
            assert calls.call(f"{ORDERS}/Toast") == "the first"
        assert len(cafe.attempts[f"{ORDERS}/Toast"]) == 2

    def test_it_does_not_without(self, emitted: Emitted, cafe: Cafe, late: Handler) -> None:
        cafe.answers[f"{ORDERS}/Toast"] = late
        without = ("hedge_on_per_try_timeout: true", "hedge_on_per_try_timeout: false")
        is_cut = pytest.raises(grpc.RpcError, match="upstream request timeout")
        with consumer(emitted, without) as calls, is_cut:
            calls.call(f"{ORDERS}/Toast")


class TestTimeouts:
    def test_a_call_is_cut(self, emitted: Emitted, cafe: Cafe) -> None:
        cafe.answers[f"{ORDERS}/Cook"] = slow
        with consumer(emitted) as calls, pytest.raises(grpc.RpcError, match="upstream request timeout"):
            calls.call(f"{ORDERS}/Cook")

    def test_an_rpc_has_its_own(self, emitted: Emitted, cafe: Cafe) -> None:
        """Longer than that of its service, which would have cut the call."""

        def answer(before: int, context: grpc.ServicerContext) -> StringValue:
            ended = threading.Event()
            context.add_callback(ended.set)
            return StringValue(value="cut" if ended.wait(0.8) else "done")

        cafe.answers[f"{ORDERS}/Order"] = answer
        with consumer(emitted) as calls:
            assert calls.call(f"{ORDERS}/Order") == "done"

    def test_a_stream_is_not_cut(self, emitted: Emitted, cafe: Cafe) -> None:
        cafe.streams[f"{ORDERS}/Follow"] = drip
        with consumer(emitted) as calls:
            assert list(calls.stream(f"{ORDERS}/Follow")) == ["0", "1", "2", "3"]

    def test_a_stream_would_be_cut_by_the_timeout_of_its_service(self, emitted: Emitted, cafe: Cafe) -> None:
        cafe.streams[f"{ORDERS}/Follow"] = drip
        with consumer(emitted, ("timeout: 0s ", "timeout: 0.4s ")) as calls, pytest.raises(grpc.RpcError):
            list(calls.stream(f"{ORDERS}/Follow"))

    def test_a_stream_is_cut_if_its_duration_is_limited(self, emitted: Emitted, cafe: Cafe) -> None:
        cafe.streams[f"{ORDERS}/Watch"] = drip
        # INTERNAL (RST_STREAM) after the first response, DEADLINE_EXCEEDED before it.
        with consumer(emitted) as calls, pytest.raises(grpc.RpcError):
            list(calls.stream(f"{ORDERS}/Watch"))
        longer = ("max_stream_duration: 0.400s", "max_stream_duration: 10s")
        with consumer(emitted, longer) as calls:
            assert list(calls.stream(f"{ORDERS}/Watch")) == ["0", "1", "2", "3"]
