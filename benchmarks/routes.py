"""What a route for each rpc costs: CPU of Envoy for a call through it, and memory.

Envoy tries the routes of a virtual host one after the other. All ways of routing that are compared are
virtual hosts of one Envoy, and an rpc of each is called. Behind it another Envoy answers, which is fast. Each
route has a timeout and a retry policy, as routes that enforce a policy do.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.calls import cpu_of
from benchmarks.flood import Flood
from benchmarks.measuring import Comparison, Row, compare, row

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))

from localmesh import Envoy, ReservedPort
from tests.sidecars import StaticEnvoy
from tests.sidecars.config import Json, cluster, http_listener, typed

CALLS = 500
ROUNDS = 120
STARTS = 3
RPCS_OF_A_SERVICE = 10

CALLED, OTHER = "called", "other"

# Envoy refuses regular expressions above a size of 100; Istio has it take up to this.
LONG_EXPRESSIONS: Json = {
    "layered_runtime": {
        "layers": [{"name": "sizes", "static_layer": {"re2.max_program_size.error_level": 32768}}]
    }
}


class Way(NamedTuple):
    """A way to route.

    Attributes:
        what: it is, for the reader.
        path: of the rpc that is called.
        routing: the part of the `VirtualHost` that routes.
    """

    what: str
    path: str
    routing: Json


def paths(rpcs: int) -> list[str]:
    """Paths of rpcs, all of the same length."""
    numbers = (divmod(number, RPCS_OF_A_SERVICE) for number in range(rpcs))
    return [f"/org.apache.dubbo.demo.v1.Service{service:04}/method{method}" for service, method in numbers]


def prefix(path: str) -> str:
    """What the paths of a service's rpcs begin with."""
    return path[: path.rindex("/") + 1]


def action(cluster_name: str) -> Json:
    """The `RouteAction` of each route."""
    return {
        "cluster": cluster_name,
        "timeout": "3s",
        "retry_policy": {
            "retry_on": "connect-failure,refused-stream,unavailable,reset",
            "num_retries": 2,
            "per_try_timeout": "1s",
        },
    }


def routes(matches: Sequence[Json], called: int) -> Json:
    """Routes, of which the one at index `called` leads to the provider."""
    found = [{"match": match, "route": action(OTHER)} for match in matches]
    found[called]["route"] = action(CALLED)
    return {"routes": found}


def exact(rpcs: int, called: int) -> Json:
    """A route for each rpc."""
    return routes([{"path": path} for path in paths(rpcs)], called)


def by_service(rpcs: int, exceptions: int = 0) -> Json:
    """A route for each service, after routes for some rpcs; the last is called."""
    some = [{"path": path} for path in paths(rpcs)[:exceptions]]
    services = dict.fromkeys(prefix(path) for path in paths(rpcs))
    return routes([*some, *({"prefix": service} for service in services)], -1)


def expression(rpcs: int) -> Json:
    """One route with a regular expression for the paths of all rpcs."""
    alternatives = "|".join(re.escape(path) for path in paths(rpcs))
    return routes([{"safe_regex": {"regex": alternatives}}], 0)


def table(rpcs: int, called: int) -> Json:
    """A route for each rpc in a hash table, by Envoy's generic matching API."""

    def found(cluster_name: str) -> dict[str, Any]:
        route = typed("envoy.config.route.v3.Route", match={"prefix": "/"}, route=action(cluster_name))
        return {"action": {"name": "route", "typed_config": route}}

    by_path = {path: found(OTHER) for path in paths(rpcs)}
    by_path[paths(rpcs)[called]] = found(CALLED)
    path = typed("envoy.type.matcher.v3.HttpRequestHeaderMatchInput", header_name=":path")
    tree = {"input": {"name": "path", "typed_config": path}, "exact_match_map": {"map": by_path}}
    return {"matcher": {"matcher_tree": tree}}


EVERYTHING = Way("one route for all", paths(1)[0], routes([{"prefix": "/"}], 0))


def ways() -> list[Way]:
    first, last, last_of_many = paths(1000)[0], paths(1000)[-1], paths(10_000)[-1]
    return [
        Way("(one route for all, against itself)", EVERYTHING.path, EVERYTHING.routing),
        Way("100 services, a route for each, the last called", last, by_service(1000)),
        Way("the same after routes for 10 rpcs", last, by_service(1000, 10)),
        Way("1,000 rpcs, a route for each, the first called", first, exact(1000, 0)),
        Way("1,000 rpcs, a route for each, the last called", last, exact(1000, -1)),
        Way("10,000 rpcs, a route for each, the last called", last_of_many, exact(10_000, -1)),
        Way("1,000 rpcs in one route's regular expression, the last called", last, expression(1000)),
        Way("1,000 rpcs in a matcher's table, the last called", last, table(1000, -1)),
        Way("10,000 rpcs in a matcher's table, the last called", last_of_many, table(10_000, -1)),
    ]


def answering(address: str) -> Envoy:
    """An Envoy that answers every call itself."""
    host: Json = {
        "name": "all",
        "domains": ["*"],
        "routes": [
            {
                "match": {"prefix": "/"},
                "direct_response": {"status": 200},
                # Else Envoy makes it UNKNOWN.
                "response_headers_to_add": [
                    {
                        "header": {"key": "grpc-status", "value": "0"},
                        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
                    }
                ],
            }
        ],
    }
    return StaticEnvoy("provider", [http_listener("provider", address, [host])])


def egress(address: str, provider: str, hosts: dict[str, Json]) -> Envoy:
    """An Envoy with a virtual host for each name."""
    virtual_hosts: list[Json] = [
        {"name": name, "domains": [name], **routing} for name, routing in hosts.items()
    ]
    clusters = [cluster(CALLED, [provider]), cluster(OTHER, [])]
    return StaticEnvoy(
        "consumer", [http_listener("egress", address, virtual_hosts)], clusters, bootstrap=LONG_EXPRESSIONS
    )


def measure_cpu() -> list[Row]:
    compared = {f"way-{number:02}": way for number, way in enumerate([EVERYTHING, *ways()])}
    with ExitStack() as stack:
        provider, port = (stack.enter_context(ReservedPort()) for _ in range(2))
        stack.enter_context(answering(provider.address))
        hosts = {name: way.routing for name, way in compared.items()}
        envoy = stack.enter_context(egress(port.address, provider.address, hosts))
        runs = [
            partial(stack.enter_context(Flood(port.address, name, way.path)).call, CALLS)
            for name, way in compared.items()
        ]
        pid = envoy.process.pid
        rows = asyncio.run(
            compare(
                [
                    Comparison(f"{way.what}: CPU", runs[0], run)
                    for way, run in zip(ways(), runs[1:], strict=True)
                ],
                ROUNDS,
                1e6 / CALLS,
                "µs",
                lambda: cpu_of(pid),
            )
        )
        made = len(runs) * (1 + CALLS * (ROUNDS + 1))
        answered = envoy.admin.stat(f"cluster.{CALLED}.upstream_rq_200")
        if answered != made:
            raise RuntimeError(f"{answered} of {made} calls took the route that was meant")
    return rows


class Memory(NamedTuple):
    """MiB that an Envoy has allocated, and that are resident."""

    allocated: float
    resident: float


def memory(routing: Json) -> Memory:
    """What an Envoy takes that has started with one virtual host."""
    with ReservedPort() as port, egress(port.address, port.address, {"all": routing}) as envoy:
        status = Path(f"/proc/{envoy.process.pid}/status").read_text()
        resident = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
        assert resident is not None
        return Memory(envoy.admin.stat("server.memory_allocated") / 2**20, int(resident[1]) / 1024)


def measure_memory() -> Iterator[Row]:
    compared = {
        "1,000 rpcs, a route for each": exact(1000, -1),
        "10,000 rpcs, a route for each": exact(10_000, -1),
        "100 services, a route for each": by_service(1000),
        "1,000 services, a route for each": by_service(10_000),
        "1,000 rpcs in a matcher's table": table(1000, -1),
        "10,000 rpcs in a matcher's table": table(10_000, -1),
    }
    taken = [
        (memory(EVERYTHING.routing), [memory(each) for each in compared.values()]) for _ in range(STARTS)
    ]
    for number, what in enumerate(compared):
        pairs = [(base, others[number]) for base, others in taken]
        allocated = [(base.allocated, other.allocated) for base, other in pairs]
        resident = [(base.resident, other.resident) for base, other in pairs]
        yield row(f"{what}: memory allocated", allocated, 1, "MiB")
        yield row(f"{what}: memory resident", resident, 1, "MiB")


def measure() -> Iterator[Row]:
    yield from measure_cpu()
    yield from measure_memory()


if __name__ == "__main__":
    for each in measure():
        print(each.markdown(), flush=True)
