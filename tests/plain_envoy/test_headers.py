"""Envoys on the files that are emitted with `policy=headers`, the default."""

from __future__ import annotations

import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

import localmesh
from tests.plain_envoy.cafe import Cafe
from tests.plain_envoy.calling import HOST, Caller, caller
from tests.plain_envoy.conftest import open_cafe
from tests.plain_envoy.emitted import Emitted

ASKS_FOR_RETRIES = (("x-envoy-retry-grpc-on", "unavailable"), ("x-envoy-max-retries", "2"))
COOK = "/cafe.Orders/Cook"


@contextmanager
def consumer(emitted: Emitted, *edits: tuple[str, str]) -> Generator[tuple[Caller, localmesh.Envoy]]:
    """A caller and the Envoy beside it, on what is emitted or an edited version of that."""
    with (
        emitted.envoy("consumer", *edits) as envoy,
        caller(emitted.variables("consumer")["DUBBO_MESH_EGRESS"]) as calls,
    ):
        yield calls, envoy


def busy_at_first(before: int, context: grpc.ServicerContext) -> StringValue:
    """Is not available for the first two attempts."""
    if before < 2:
        context.abort(grpc.StatusCode.UNAVAILABLE, "busy")
    return StringValue(value="done")


class TestOneMachine:
    """Two apps, one with two ports and two instances, and a consumer, each with ports of its own."""

    def test_each_port_is_called_by_its_authority_and_each_instance_in_turn(
        self, emitted: Emitted, cafe: Cafe
    ) -> None:
        by_port = [
            {emitted.variables(name)["DUBBO_MESH_LISTEN"].split(",")[index] for name in ("cafe-1", "cafe-2")}
            for index in (0, 1)
        ]
        egress = emitted.variables("consumer")["DUBBO_MESH_EGRESS"]
        with emitted.envoy("consumer") as envoy:
            for authority, paths, servers in [
                (f"{HOST}:50051", COOK, by_port[0]),
                (HOST, COOK, by_port[0]),
                (f"{HOST}:50052", "/cafe.Staff/Ask", by_port[1]),
            ]:
                with caller(egress, authority) as calls:
                    assert {calls.call(paths) for _ in range(4)} == servers
            with (
                caller(egress, "bar.default.svc.cluster.local") as calls,
                pytest.raises(grpc.RpcError) as nobody,
            ):
                calls.call(COOK)
            assert nobody.value.code() is grpc.StatusCode.UNIMPLEMENTED  # Envoy's 404
            logged = envoy.access_log.wait_for(13)
        assert {entry["listener"] for entry in logged} == {"outbound"}
        assert len({address for servers in by_port for address in servers}) == 4

    def test_no_port_is_used_twice(self, emitted: Emitted) -> None:
        used = [
            address.rpartition(":")[2]
            for name in ("consumer", "cafe-1", "cafe-2", "delivery-1")
            for variable, value in emitted.variables(name).items()
            if variable not in {"POD_NAMESPACE", "DUBBO_MESH_APP"}
            for address in value.split(",")
        ]
        assert len(used) == len(set(used))


class TestHeaders:
    def test_are_honoured(self, emitted: Emitted, cafe: Cafe) -> None:
        cafe.answers[COOK] = busy_at_first
        with consumer(emitted) as (calls, _):
            assert calls.call(COOK, *ASKS_FOR_RETRIES) == "done"
        assert len(cafe.attempts[COOK]) == 3

    def test_are_stripped_if_no_address_is_internal(self, emitted: Emitted, cafe: Cafe) -> None:
        cafe.answers[COOK] = busy_at_first
        nobody = ("address_prefix: 127.0.0.0\n", "address_prefix: 203.0.113.0\n")
        with consumer(emitted, nobody) as (calls, _), pytest.raises(grpc.RpcError):
            calls.call(COOK, *ASKS_FOR_RETRIES)
        assert len(cafe.attempts[COOK]) == 1


class TestInbound:
    """Whoever can reach the provider's Envoy could claim an address with x-forwarded-for."""

    INTERNAL = (
        "use_remote_address: false\n",
        "use_remote_address: false\n"
        + " " * 16
        + "internal_address_config:\n"
        + " " * 18
        + "cidr_ranges:\n"
        # As YAML's flow style has it, and for the Envoy's only listener of the kind.
        + " " * 20
        + "- { address_prefix: 127.0.0.0, prefix_len: 8 }\n",
    )

    def attempts(self, directory: Path, *edits: tuple[str, str]) -> int:
        """How often a call runs that claims an address and asks the provider's Envoy for retries."""
        files = Emitted(directory)
        try:
            with open_cafe(files) as cafe, files.envoy("cafe-1", *edits) as envoy:
                cafe.answers[COOK] = busy_at_first
                ingress = envoy.admin.listeners()["inbound_50051"]
                with caller(ingress) as calls, suppress(grpc.RpcError):
                    calls.call(COOK, *ASKS_FOR_RETRIES, ("x-forwarded-for", "127.0.0.1"))
                return len(cafe.attempts[COOK])
        finally:
            files.close()

    def test_headers_count_for_nothing(self, tmp_path: Path) -> None:
        assert self.attempts(tmp_path) == 1

    def test_they_would_count_if_addresses_were_internal(self, tmp_path: Path) -> None:
        assert self.attempts(tmp_path, self.INTERNAL) == 3


class TestTimeout:
    """Nobody asks for one. Envoy's own of 15 s, for which a short one stands here, would cut slow calls."""

    @staticmethod
    def slow(before: int, context: grpc.ServicerContext) -> StringValue:
        ended = threading.Event()
        context.add_callback(ended.set)
        ended.wait(1)  # or until Envoy gives up
        return StringValue(value="done")

    def test_there_is_none(self, emitted: Emitted, cafe: Cafe) -> None:
        cafe.answers[COOK] = self.slow
        with consumer(emitted) as (calls, _):
            assert calls.call(COOK) == "done"

    def test_one_would_cut_the_call(self, emitted: Emitted, cafe: Cafe) -> None:
        cafe.answers[COOK] = self.slow
        is_cut = pytest.raises(grpc.RpcError, match="upstream request timeout")
        with consumer(emitted, ("timeout: 0s", "timeout: 0.2s")) as (calls, _), is_cut:
            calls.call(COOK)


class TestManyRetriesAtOnce:
    CALLS = 20

    def failed(self, emitted: Emitted, cafe: Cafe, *edits: tuple[str, str]) -> tuple[int, int]:
        """How many of many calls fail whose first attempts fail at the same time; and Envoy's own count."""
        together = threading.Barrier(self.CALLS)

        def answer(before: int, context: grpc.ServicerContext) -> StringValue:
            if before < self.CALLS:
                together.wait(10)
                context.abort(grpc.StatusCode.UNAVAILABLE, "busy")
            return StringValue(value="done")

        cafe.answers[COOK] = answer
        with consumer(emitted, *edits) as (calls, envoy), ThreadPoolExecutor(self.CALLS) as pool:
            made = [pool.submit(calls.call, COOK, *ASKS_FOR_RETRIES) for _ in range(self.CALLS)]
            failed = sum(each.exception() is not None for each in made)
            return failed, envoy.admin.stat("cluster.cafe-50051.upstream_rq_retry_overflow")

    def test_all_pass(self, emitted: Emitted, cafe: Cafe) -> None:
        assert self.failed(emitted, cafe) == (0, 0)

    def test_most_fail_with_the_circuit_breaker_that_envoy_has(self, emitted: Emitted, cafe: Cafe) -> None:
        failed, overflowed = self.failed(emitted, cafe, ("            max_retries: 4294967295\n", ""))
        assert failed == overflowed > 0


class TestAProviderThatStartsLate:
    def test_is_found_unless_idle_hosts_are_checked_once_a_minute(self, tmp_path: Path) -> None:
        files = Emitted(tmp_path)
        once_a_minute = ("          no_traffic_interval: 1s\n", "")
        try:
            with (
                files.envoy("cafe-1"),
                files.envoy("cafe-2"),
                # Only for the first cluster: the second one shows how much time has passed.
                files.envoy("consumer", once_a_minute, times=1) as envoy,
                open_cafe(files),
            ):
                envoy.wait_healthy("cafe-50052", 2)
                attempts = envoy.admin.stats("cluster.")
                assert [host.healthy for host in envoy.admin.hosts("cafe-50051")] == [False, False]
            assert attempts["cluster.cafe-50051.health_check.attempt"] == 2  # once for each host
            assert attempts["cluster.cafe-50052.health_check.attempt"] > 2
        finally:
            files.close()


class TestAnAppThatIsDraining:
    """Its Envoy is told to fail health checks, and the app makes calls meanwhile."""

    def connections(self, directory: Path, *edits: tuple[str, str]) -> int:
        """The number of connections on which ten calls of the app reach its Envoy."""
        files = Emitted(directory, calls=True)
        try:
            with (
                open_cafe(files),
                files.envoy("cafe-1"),
                files.envoy("cafe-2"),
                files.envoy("delivery-1", *edits) as envoy,
                caller(files.variables("delivery-1")["DUBBO_MESH_EGRESS"]) as calls,
            ):
                envoy.admin.fail_health_check()
                for _ in range(10):
                    calls.call(COOK)
                logged = envoy.access_log.wait_for(10)
            return len({entry["downstream_connection"] for entry in logged})
        finally:
            files.close()

    def test_keeps_the_connections_of_its_own_calls(self, tmp_path: Path) -> None:
        assert self.connections(tmp_path) == 1

    def test_loses_them_with_the_drain_type_that_envoy_has(self, tmp_path: Path) -> None:
        assert self.connections(tmp_path, ("      drain_type: MODIFY_ONLY\n", "")) > 1


class TestIPv6:
    def test_everything_is_on_its_loopback_address(self, tmp_path: Path) -> None:
        if not has_ipv6():
            pytest.skip("this machine has no ::1")
        files = Emitted(tmp_path, ipv6=True)
        try:
            with (
                open_cafe(files) as cafe,
                files.envoy("cafe-1"),
                files.envoy("cafe-2"),
                files.envoy("consumer"),
                caller(files.variables("consumer")["DUBBO_MESH_EGRESS"]) as calls,
            ):
                cafe.answers[COOK] = busy_at_first
                assert calls.call(COOK, *ASKS_FOR_RETRIES) == "done"
                assert all(address.startswith("[::1]:") for address in cafe.attempts[COOK])
        finally:
            files.close()


def has_ipv6() -> bool:
    try:
        localmesh.ReservedPorts(1, "::1").close()
    except OSError:
        return False
    return True
