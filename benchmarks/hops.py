"""What the sidecars themselves add: a call made directly, through one Envoy, and through two."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter, process_time

import grpc

from benchmarks.calls import MESSAGE, EchoStub, cpu_of, provider
from benchmarks.measuring import Row, row

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))

from tests import sidecars

CALLS = 200
ROUNDS = 20


def p50(stub: EchoStub) -> float:
    """Seconds that the median call takes."""
    taken: list[float] = []
    for _ in range(CALLS):
        began = perf_counter()
        stub.call(MESSAGE)
        taken.append(perf_counter() - began)
    return statistics.median(taken)


def cpu(stub: EchoStub, envoy: int) -> tuple[float, float]:
    """CPU seconds that this process takes for a call, and that the Envoy with that process id does."""
    client, sidecar = process_time(), cpu_of(envoy)
    p50(stub)
    return (process_time() - client) / CALLS, (cpu_of(envoy) - sidecar) / CALLS


def measure() -> Iterator[Row]:
    with provider("sync") as (address, _), sidecars.Sidecar("provider", ingress=address) as beside:
        echo = sidecars.MeshService("echo", port=50051, endpoints=[beside.ingress])
        with sidecars.Sidecar("consumer", egress=[echo]) as consumer:
            consumer.wait_healthy("echo", 1)
            through_two = [("grpc.default_authority", "echo.default.svc.cluster.local:50051")]
            with (
                grpc.insecure_channel(address) as direct,
                grpc.insecure_channel(beside.ingress) as one,
                grpc.insecure_channel(consumer.egress, through_two) as two,
            ):
                stubs = [EchoStub(channel) for channel in (direct, one, two)]
                for stub in stubs:
                    p50(stub)
                rounds = [[p50(stub) for stub in stubs] for _ in range(ROUNDS)]
                spent = [cpu(stubs[1], beside.process.pid) for _ in range(ROUNDS)]
    for hops, what in ((1, "one Envoy over direct, p50"), (2, "two Envoys over direct, p50")):
        yield row(what, [(each[0], each[hops]) for each in rounds], 1e6, "µs")
    yield row("one Envoy's CPU for a call over the client's", spent, 1e6, "µs")


if __name__ == "__main__":
    for each in measure():
        print(each.markdown(), flush=True)
