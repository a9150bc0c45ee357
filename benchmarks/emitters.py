"""What the plugin's YAML for the mesh costs over its Python alone, and how that grows with the services."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.generation import OURS, REQUESTS, request_for
from benchmarks.measuring import Row, row, usage
from protoc_gen_dubbo_mesh.parameters import EMITTERS
from protoc_gen_dubbo_mesh.policy.parameters import ENFORCERS
from protoc_gen_dubbo_mesh.project.sources import proto_path

ROUNDS = 11
BUDGETS = {10: 2.0, 1: None}
"""How many times the CPU of Python alone, by the services of an app. With one each there are more files."""

SERVICES_OF_A_FILE = 10
EVERYTHING = "+".join(EMITTERS)

# Of the ten rpcs of a service, four are configured: in an app's routes they are exceptions.
_CONFIGURED = {
    0: "option (dubbo_mesh.v1.method) = { timeout { seconds: 3 } per_try_timeout { seconds: 1 } "
    "retry { attempts: 3 grpc_on: UNAVAILABLE on: RESET } };",
    1: "option idempotency_level = IDEMPOTENT;",
    2: "option (dubbo_mesh.v1.method).timeout = { seconds: 10 };",
    3: "option (dubbo_mesh.v1.method).timeout = {};",
}
_SERVICE = """\
// Service number {number}.
service Wide{number} {{
  option (dubbo_mesh.v1.service) = {{
    app: "app{app}" namespace: "shop" port: 50051 defaults {{ timeout {{ seconds: 5 }} }}
  }};
{rpcs}}}
"""
_RPCS = "".join(
    f"  // Does the thing number {number}.\n"
    f"  rpc Do{number}(M) returns ({'stream ' if number == 4 else ''}M) {{ {_CONFIGURED.get(number, '')} }}\n"
    for number in range(10)
)


def stored(services: int, of_an_app: int, emit: str, policy: str) -> str:
    """The path of a file that has a request for so many services of ten rpcs each."""
    path = REQUESTS / f"{services}-by-{of_an_app}-{policy}-{emit}"
    if path.exists():
        return str(path)
    REQUESTS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        names: list[str] = []
        for first in range(0, services, SERVICES_OF_A_FILE):
            text = "".join(
                _SERVICE.format(number=number, app=number // of_an_app, rpcs=_RPCS)
                for number in range(first, first + SERVICES_OF_A_FILE)
            )
            names.append(f"f{first}.proto")
            (Path(name) / names[-1]).write_text(
                f'syntax = "proto3";\npackage bench.p{first};\n'
                f'import "dubbo_mesh/v1/options.proto";\nmessage M {{}}\n{text}'
            )
        request = request_for(Path(name), names, [str(proto_path())])
    request.parameter = f"emit={emit},policy={policy}"
    path.write_bytes(request.SerializeToString())
    return str(path)


def compare(
    base: str, other: str, what: str, most: float | None, most_memory: float | None = None
) -> Iterator[Row]:
    """The plugin with one request over the plugin with another one, in turn."""
    cpu: list[tuple[float, float]] = []
    peaks: list[tuple[float, float]] = []
    usage(OURS, base)  # to warm up: bytecode, file cache
    usage(OURS, other)
    for number in range(ROUNDS):
        files = (base, other) if number % 2 else (other, base)
        taken = {file: usage(OURS, file) for file in files}
        cpu.append((taken[base].cpu, taken[other].cpu))
        peaks.append((taken[base].peak, taken[other].peak))
    yield row(f"{what}: CPU", cpu, 1000, "ms", most)
    yield row(f"{what}: memory at its peak", peaks, 1, "MiB", most_memory)


def measure() -> Iterator[Row]:
    for of_an_app, most in BUDGETS.items():
        apps = 250 // of_an_app
        for policy in ENFORCERS:
            python, everything = (stored(250, of_an_app, emit, policy) for emit in ("python", EVERYTHING))
            what = f"250 services of {apps} apps, policy={policy}: all emitters over Python alone"
            yield from compare(python, everything, what, most)
    for policy in ENFORCERS:
        few, many = (stored(services, 10, EVERYTHING, policy) for services in (250, 1000))
        what = f"1,000 services over 250, 10 of each app, policy={policy}: all emitters"
        yield from compare(few, many, what, 4.4, 4)


if __name__ == "__main__":
    for each in measure():
        print(each.markdown(), flush=True)
