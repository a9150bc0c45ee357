"""Plays a pod: run in network and mount namespaces of its own, it prints what happens there, as JSON.

As in Kubernetes, there is a resolver with a search list and `ndots:5`, mesh names resolve to cluster
addresses, and an Envoy takes the connections to these. (Here it listens at them; a pod's iptables lead them
to it.)

    unshare --mount --net python -m tests.addressing.pod DIRECTORY
"""

from __future__ import annotations

import asyncio
import ctypes
import fcntl
import json
import socket
import struct
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
import localmesh
from tests import sidecars
from tests.addressing.nameserver import NameServer
from tests.addressing.providers import Provider, serving
from tests.calling.echo import EchoAsyncStub, EchoStub
from tests.headers.wire import WireServer
from tests.sidecars.config import access_log, http_listener

HOST = "echo.default.svc.cluster.local"
PORT = 50051
WIRE_HOST = f"wire.{HOST.partition('.')[2]}"
CLUSTER_ADDRESSES = ("127.10.96.7", "127.10.96.8")
ROUND_ROBIN = '{"loadBalancingConfig": [{"round_robin": {}}]}'
RESOLV_CONF = """\
nameserver 127.0.0.1
search default.svc.cluster.local svc.cluster.local cluster.local
options ndots:5
"""


def bring_loopback_up() -> None:
    flags, up = struct.Struct("16sh14x"), 1  # struct ifreq of Linux, and IFF_UP
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, 0x8914, flags.pack(b"lo", up))  # SIOCSIFFLAGS


def replace_resolv_conf(directory: Path) -> None:
    ours, theirs = directory / "resolv.conf", Path("/etc/resolv.conf").resolve()
    ours.write_text(RESOLV_CONF)
    bind = 4096  # MS_BIND
    if ctypes.CDLL(None, use_errno=True).mount(bytes(ours), bytes(theirs), None, bind, None) != 0:
        raise OSError(ctypes.get_errno(), f"mount {ours} on {theirs}")


class Pod:
    """The namespace's mesh, and what the sidecar and the nameserver saw since the last look."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        names = {
            HOST: CLUSTER_ADDRESSES[:1],
            # What a search list makes of a name must not exist; this name has two addresses.
            f"twins.{HOST.partition('.')[2]}": CLUSTER_ADDRESSES,
            WIRE_HOST: CLUSTER_ADDRESSES[:1],
        }
        self.nameserver = NameServer("127.0.0.1", names)
        provider = stack.enter_context(serving(Provider("provider")))
        services = [
            sidecars.MeshService(app, PORT, [provider.address], health_check=None)
            for app in ("echo", "twins")
        ]
        self.wire = stack.enter_context(WireServer())
        services.append(sidecars.MeshService("wire", PORT, [self.wire.address], health_check=None))
        self.log = localmesh.AccessLog(directory / "egress.jsonl")
        hosts = [service.virtual_host() for service in services]
        self._listeners = ("first", "second")
        logs = [access_log(self.log.path)]
        self.envoy = sidecars.StaticEnvoy(
            "sidecar",
            [
                http_listener(name, f"{address}:{PORT}", hosts, access_logs=logs)
                for name, address in zip(self._listeners, CLUSTER_ADDRESSES, strict=True)
            ],
            [service.to_cluster() for service in services],
            directory=directory / "sidecar",
        )
        stack.enter_context(self.envoy)
        self._requests = 0
        self._connections = self._count_connections()

    def look(self, answers: list[str]) -> dict[str, Any]:
        """What was seen of the calls that had these answers."""
        queries = sorted(set(self.nameserver.queries))
        self.nameserver.queries.clear()
        self._requests += len(answers)
        requests = self.log.wait_for(self._requests)[-len(answers) :]
        before, self._connections = self._connections, self._count_connections()
        return {
            "answers": sorted(set(answers)),
            "queries": queries,
            "authorities": sorted({request["authority"] for request in requests}),
            "connections": [now - then for now, then in zip(self._connections, before, strict=True)],
        }

    def has_new_connections(self, count: int) -> bool:
        return sum(self._count_connections()) - sum(self._connections) >= count

    def _count_connections(self) -> list[int]:
        """How many each of the cluster addresses has got so far."""
        return [self.envoy.admin.stat(f"http.{name}.downstream_cx_total") for name in self._listeners]


def call(stub: EchoStub, times: int = 1) -> list[str]:
    answers: list[str] = []
    for _ in range(times):
        try:
            answers.append(stub.unary(StringValue(), timeout=10, wait_for_ready=True).value)
        except grpc.RpcError as error:
            answers.append(error.code().name)
    return answers


async def call_async() -> list[str]:
    async with EchoAsyncStub() as stub:
        return [(await stub.unary(StringValue(), timeout=10, wait_for_ready=True)).value]


def headers_on_the_wire(pod: Pod) -> list[dict[str, str]]:
    """What comes out of the sidecar for the same call by plain grpcio and by a stub of ours."""
    authority = [("grpc.default_authority", f"{WIRE_HOST}:{PORT}")]
    with grpc.insecure_channel(f"dns:///{WIRE_HOST}.:{PORT}", authority) as channel:
        channel.unary_unary("/test.Echo/unary", StringValue.SerializeToString)(StringValue())
    with EchoStub(target=dubbo_mesh.Target("wire", port=PORT)) as stub:
        stub.unary(StringValue())
    return [dict(headers) for headers in pod.wire.requests]


def main() -> None:
    directory = Path(sys.argv[1])
    bring_loopback_up()
    replace_resolv_conf(directory)
    seen: dict[str, Any] = {}
    with ExitStack() as stack:
        pod = Pod(directory, stack)
        with EchoStub() as stub:
            seen["sync"] = pod.look(call(stub))
        seen["async"] = pod.look(asyncio.run(call_async()))
        # grpc's own way to dial the same name, and what would come of the dot, were it in the authority too.
        for key, name in (("without the dot", HOST), ("dot in the authority", f"{HOST}.")):
            with grpc.insecure_channel(f"dns:///{name}:{PORT}") as channel:
                seen[key] = pod.look(call(EchoStub(channel)))
        twins = dubbo_mesh.Target("twins", port=PORT)
        with EchoStub(target=twins) as stub:
            seen["two addresses"] = pod.look(call(stub, 20))
        # The stub before may not have let go of its connection yet: none of that one's is to be used again.
        own_connections = ("grpc.use_local_subchannel_pool", 1)
        balancing = ("grpc.service_config", ROUND_ROBIN)
        with EchoStub(target=twins, options=[balancing, own_connections]) as stub:
            # Both connections come up in their own time.
            answers = call(stub, 20)
            localmesh.wait_until(lambda: pod.has_new_connections(2), what="both connections are there")
            seen["two addresses, the caller's own balancing"] = pod.look(answers)
        seen["wire"] = headers_on_the_wire(pod)
    json.dump(seen, sys.stdout)


if __name__ == "__main__":
    main()
