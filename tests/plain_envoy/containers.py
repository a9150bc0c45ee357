"""Plays Docker Compose: run in namespaces of its own, it prints what happens there, as JSON.

As with Docker, there is a resolver that knows the names of services, and their addresses are from its
default pools. All containers are in one network namespace, so the Envoy of the café listens elsewhere than it
would in one of its own.

    unshare --mount --net python -m tests.plain_envoy.containers shared|own DIRECTORY
"""

from __future__ import annotations

import fcntl
import json
import socket
import struct
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from google.protobuf.wrappers_pb2 import StringValue

from tests.addressing.nameserver import NameServer
from tests.addressing.pod import bring_loopback_up, replace_resolv_conf
from tests.plain_envoy.cafe import Cafe
from tests.plain_envoy.calling import caller
from tests.plain_envoy.emitted import Emitted

CAFE, CAFES_ENVOY, CONSUMERS_ENVOY = "172.18.0.2", "172.18.0.3", "172.18.0.4"
ELSEWHERE = "203.0.113.1"
COOK = "/cafe.Orders/Cook"
ASKS_FOR_RETRIES = (("x-envoy-retry-grpc-on", "unavailable"), ("x-envoy-max-retries", "1"))


def add_addresses(*addresses: str) -> None:
    """Gives addresses to the loopback interface."""
    request = struct.Struct("16sHH4s8x")  # struct ifreq of Linux with a struct sockaddr_in
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for number, address in enumerate(addresses):
            name, ip = f"lo:{number}".encode(), socket.inet_aton(address)
            fcntl.ioctl(control, 0x8916, request.pack(name, socket.AF_INET, 0, ip))  # SIOCSIFADDR


def busy_at_first(before: int, context: grpc.ServicerContext) -> StringValue:
    if before == 0:
        context.abort(grpc.StatusCode.UNAVAILABLE, "busy")
    return StringValue(value="done")


def called(cafe: Cafe, egress: str) -> str:
    """What becomes of a call whose first attempt fails, with headers that ask for another one."""
    cafe.reset()
    cafe.answers[COOK] = busy_at_first
    with caller(egress) as calls:
        try:
            return calls.call(COOK, *ASKS_FOR_RETRIES)
        except grpc.RpcError as error:
            return error.details() or ""


def main() -> None:
    network, directory = sys.argv[1], Path(sys.argv[2])
    bring_loopback_up()
    replace_resolv_conf(directory)
    add_addresses(CAFE, CAFES_ENVOY, CONSUMERS_ENVOY, ELSEWHERE)
    names = {"cafe": [CAFE], "cafe-envoy": [CAFES_ENVOY]}
    NameServer("127.0.0.1", names)
    emitted, cafe = Emitted(directory, network=network), Cafe()
    edits = [("port_value: 15000", "port_value: 15100")]  # the admin endpoint
    if network == "own":
        edits.append(("address: 0.0.0.0", f"address: {CAFES_ENVOY}"))
        servers = [f"{CAFE}:50051", f"{CAFE}:50052"]
        egresses = [f"{CONSUMERS_ENVOY}:15001", f"{ELSEWHERE}:15001"]
    else:
        servers = ["127.0.0.1:50051", "127.0.0.1:50052"]
        egresses = ["127.0.0.1:15001"]
    with ThreadPoolExecutor(8) as pool:
        serving = [cafe.serve(address, pool) for address in servers]
        with emitted.envoy("compose/cafe", *edits), emitted.envoy("compose/consumer") as envoy:
            for port in (50051, 50052):
                envoy.wait_healthy(f"cafe-{port}", 1)
            seen = {
                "environment": emitted.variables("compose/consumer"),
                "hosts": [host.address for host in envoy.admin.hosts("cafe-50052")],
                "calls": {egress: called(cafe, egress) for egress in egresses},
            }
        for server in serving:
            server.stop(grace=None).wait()
    json.dump(seen, sys.stdout)


if __name__ == "__main__":
    main()
