"""What the doctor takes to read a sidecar that knows thousands of services, over parsing the same text.

The text is a real Envoy's, repeated under other names until it is as long as that of a large mesh. A small
server of our own gives it out: what Envoy itself takes to write it is not measured.
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks.measuring import Budget, Row, python, row, usage_pairs
from tests import sidecars

ROUNDS = 5
SERVICES = 2000  # of the Envoy
SIZE = 60e6  # bytes of its configuration, when it has been repeated

CALLED = 200
RPCS = 20

SECONDS, MEBIBYTES = 3, 400
"""What the whole command may take for the text of that size."""

MODULE = """
import dubbo_mesh
from google.protobuf.empty_pb2 import Empty

def stub(number):
    asked = dubbo_mesh.EnvoyHeaders(retry_grpc_on=["unavailable"], max_retries=2)
    name = f"bench.Wide{{number}}"
    rpcs = [dubbo_mesh.Method(f"/{{name}}/Do{{rpc}}", Empty, Empty, envoy=asked) for rpc in range({rpcs})]
    service = dubbo_mesh.Service(name, *rpcs, app=f"svc-{{number}}-0", port=50051)
    return type(f"Wide{{number}}Stub", (dubbo_mesh.Stub,), {{"__mesh__": service}})

for number in range({services}):
    globals()[f"Wide{{number}}Stub"] = stub(number)
"""


class Recorded:
    """What an Envoy answers, with as many services as make it long.

    Attributes:
        egress: where it listened for calls.
        answers: the texts by their paths.
    """

    def __init__(self) -> None:
        services = [
            sidecars.MeshService(f"svc-{number}-0", 50051, ["127.0.0.1:1"], timeout=0, health_check=None)
            for number in range(SERVICES)
        ]
        with sidecars.Sidecar("consumer", egress=services) as envoy:
            self.egress = envoy.egress
            dump: Any = json.loads(envoy.admin.get("/config_dump"))
            clusters: Any = json.loads(envoy.admin.get("/clusters?format=json"))
            info = envoy.admin.get("/server_info")
        sections: Any = {each["@type"].rpartition(".")[2]: each for each in dump["configs"]}
        del sections["BootstrapConfigDump"]["bootstrap"]["static_resources"]  # a control plane gives them
        times = round(SIZE / len(json.dumps(dump, indent=1)))
        manager = sections["ListenersConfigDump"]["static_listeners"][0]["listener"]["filter_chains"][0]
        for owner, key in (
            (sections["ClustersConfigDump"], "static_clusters"),
            (sections["RoutesConfigDump"]["static_route_configs"][0]["route_config"], "virtual_hosts"),
            (manager["filters"][0]["typed_config"]["route_config"], "virtual_hosts"),
            (clusters, "cluster_statuses"),
        ):
            owner[key] = _repeated(owner[key], times)
        self.answers = {
            "/config_dump": json.dumps(dump, indent=1),  # as Envoy indents it
            "/clusters": json.dumps(clusters, indent=1),
            "/server_info": info,
            "/stats": "",
        }


def _repeated(items: list[Any], times: int) -> list[Any]:
    """The services' items, again and again under other names."""
    text = json.dumps(items)
    return [each for number in range(times) for each in json.loads(text.replace('-0"', f'-{number}"'))]


class _Server(ThreadingHTTPServer):
    daemon_threads = True


def _serve(answers: dict[str, str]) -> _Server:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = answers[self.path.partition("?")[0]].encode()
            self.send_response(200)
            self.send_header("transfer-encoding", "chunked")
            self.send_header("connection", "close")
            self.end_headers()
            for start in range(0, len(body), 1 << 18):
                piece = body[start : start + (1 << 18)]
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = _Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def measure() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        recorded = Recorded()
        dump, clusters = directory / "config_dump", directory / "clusters"
        dump.write_text(recorded.answers["/config_dump"])
        clusters.write_text(recorded.answers["/clusters"])
        (directory / "wide_mesh.py").write_text(MODULE.format(services=CALLED, rpcs=RPCS))
        loads = "import json, sys; [json.loads(open(each, 'rb').read()) for each in sys.argv[1:]]"
        parsing = python("-c", loads, str(dump), str(clusters))
        size = f"{dump.stat().st_size / 1e6:.0f} MB"
        files = ("--config-dump", str(dump), "--config-dump", str(clusters))
        server = _serve(recorded.answers)
        admin = f"DUBBO_MESH_ADMIN=127.0.0.1:{server.server_address[1]}"

        def doctor(*arguments: str, setting: str = "DUBBO_MESH_ADMIN=off") -> list[str]:
            path = os.pathsep.join([str(directory), *filter(None, [os.environ.get("PYTHONPATH")])])
            variables = [setting, f"DUBBO_MESH_EGRESS={recorded.egress}", f"PYTHONPATH={path}"]
            # Where calls would go nobody listens: what is found there is no matter here.
            script = "import sys; from dubbo_mesh.__main__ import main; main(sys.argv[1:])"
            return ["/usr/bin/env", *variables, *python("-c", script, "doctor", *arguments)]

        what = f"`doctor` over `json.loads`, {size}"
        one = doctor("svc-7-0:50051", *files)
        yield from over(parsing, one, f"{what}, from files, one service")
        live = doctor("svc-7-0:50051", setting=admin)
        yield from over(parsing, live, f"{what}, from an admin endpoint, one service")
        many = doctor("wide_mesh", *files)
        # Each rpc has its own sentence: that is not what the budget is for.
        for each in over(parsing, many, f"({what}, from files, {CALLED} services of {RPCS} rpcs)"):
            yield replace(each, budget=None)
        server.shutdown()


def over(base: list[str], other: list[str], what: str) -> Iterator[Row]:
    cpu, peak = usage_pairs(base, other, ROUNDS)
    seconds = row(f"{what}: CPU", cpu, 1, "s")
    worst = max(other for _, other in cpu)
    yield replace(seconds, budget=Budget(f"{worst:.2f}, ≤ {SECONDS} s", worst <= SECONDS))
    memory = row(f"{what}: memory at its peak", peak, 1, "MiB")
    worst = max(other for _, other in peak)
    yield replace(memory, budget=Budget(f"{worst:.0f}, ≤ {MEBIBYTES} MiB", worst <= MEBIBYTES))


if __name__ == "__main__":
    for each in measure():
        print(each.markdown())
