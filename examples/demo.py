"""The demo: calls through real Envoys on this machine, and what these say of it.

    make demo
    make demo ARGS=--keep            # leaves the mesh up until Ctrl-C
    make demo ARGS="--without drain" # leaves a feature out, to see that its claim fails

Two providers of the Greeter, each behind its own Envoy, and a front desk with an Envoy of its own,
through which it, and this script, call them. The exit status is 1 if a claim does not hold.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from unittest.mock import patch

import grpc

import demo_istio
import dubbo_mesh
import localmesh
from demo_load import Load, describe, instance
from demo_mesh import CLUSTER, GREETER, Greetings, Mesh, config_file, protoc

AUTHORITY = "greeter.default.svc.cluster.local:50052"
FEATURES = {
    "virtual-host": "the front desk's Envoy has no virtual host for the greeter",
    "second-provider": "greeter-2 is not started",
    "internal": "no request counts as internal, so Envoy removes the router headers",
    "context": "the front desk calls with protoc's stub, which carries nothing on",
    "drain": "providers end on SIGTERM as in grpc's examples",
    "istio": "Istio's control plane is not started",
}


class ClaimError(Exception):
    """A claim does not hold; the message is what was seen instead."""


def hold(condition: bool, seen: str) -> None:
    """Raises ClaimError(seen) unless the condition holds."""
    if not condition:
        raise ClaimError(seen)


# The claims. Each function returns its evidence, and raises ClaimError or what went wrong with its calls.


def authority(mesh: Mesh, greetings: Greetings) -> str:
    """GreeterStub() calls by mesh name, and Envoy has a virtual host of that name"""
    since, calls = time.time(), 20
    for _ in range(calls):
        greetings.greeter.sayHello(greetings.request("Ada"))
    seen = Counter((entry["authority"], entry["route"]) for entry in mesh.entries(since, calls))
    hold(seen == {(AUTHORITY, "greeter"): calls}, f"the access log has {dict(seen)}")
    counted = mesh.stat(f"cluster.{CLUSTER}.upstream_rq_total")
    hold(counted >= calls, f"the cluster counted {counted} of {calls} calls")
    return (
        f"access log: {calls} times :authority {AUTHORITY}, route greeter; "
        f"cluster.{CLUSTER}.upstream_rq_total {counted}"
    )


def both_providers(mesh: Mesh, greetings: Greetings) -> str:
    """Envoy, not the stub, spreads the calls over both providers"""
    calls = 20
    before = {host.address: host.stats["rq_success"] for host in mesh.envoy.admin.hosts(CLUSTER)}
    replies = Counter(
        greetings.greeter.sayHello(greetings.request("Ada")).message.partition("! ")[2].split()[0]
        for _ in range(calls)
    )
    hosts = mesh.envoy.admin.hosts(CLUSTER)
    counted = {host.address: host.stats["rq_success"] - before[host.address] for host in hosts}
    connections = mesh.stat("http.outbound.downstream_cx_active")
    seen = (
        f"clusters: rq_success {', '.join(f'{address} +{count}' for address, count in counted.items())}; "
        f"the replies came from {', '.join(f'{name} ({count})' for name, count in sorted(replies.items()))}"
    )
    hold(min(counted.values()) >= calls // 4 and sum(counted.values()) == calls, seen)
    hold(len(replies) == 2, seen)
    return f"{seen}; connections from the consumer to its Envoy: {connections}"


def retries(mesh: Mesh, greetings: Greetings) -> str:
    """Envoy retries a failing call because the stub asked for it"""
    calls = 5
    with dubbo_mesh.channel(greetings.stub.__mesh__.target()) as channel:
        plain, before = greetings.plain_stub(channel), mesh.stat(f"cluster.{CLUSTER}.upstream_rq_retry")
        since = time.time()
        for _ in range(calls):
            try:
                plain.sayHello(greetings.request("Second"), timeout=5)
            except grpc.RpcError as error:
                hold(error.code() is grpc.StatusCode.UNAVAILABLE, f"protoc's stub: {describe(error)}")
            else:
                raise ClaimError("protoc's stub, which asks for no retry, got an answer")
        plain_attempts = [entry["attempts"] for entry in mesh.entries(since, calls)]
    hold(plain_attempts == [1] * calls, f"attempts of protoc's stub: {plain_attempts}")
    hold(mesh.stat(f"cluster.{CLUSTER}.upstream_rq_retry") == before, "Envoy retried for protoc's stub")

    since, failed = time.time(), list[str]()
    for _ in range(calls):
        try:
            greetings.greeter.sayHello(greetings.request("Second"))
        except grpc.RpcError as error:
            failed.append(describe(error))
    attempts = [entry["attempts"] for entry in mesh.entries(since, calls)]
    retried = mesh.stat(f"cluster.{CLUSTER}.upstream_rq_retry") - before
    hold(
        not failed and attempts == [2] * calls and retried == calls,
        f"{len(failed)} of {calls} calls failed ({', '.join(sorted(set(failed)))}); "
        f"upstream_rq_retry +{retried}; attempts {attempts}",
    )
    return (
        f"{calls} calls of a provider that is UNAVAILABLE at first: answered at attempt 2, "
        f"cluster.{CLUSTER}.upstream_rq_retry +{retried}; "
        f"the same through protoc's stub: UNAVAILABLE at attempt 1, upstream_rq_retry +0"
    )


def context(mesh: Mesh, greetings: Greetings) -> str:
    """x-request-id and traceparent go on from a call to the call made while serving it"""
    since = time.time()
    sent = {
        "x-request-id": "d3100000-0000-4000-8000-000000000031",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    }
    with grpc.insecure_channel(mesh.frontdesk.ingress) as channel:
        greetings.frontdesk(channel).welcome(greetings.request("Ada"), metadata=list(sent.items()))
    (outgoing,) = mesh.entries(since, 1)
    (incoming,) = mesh.entries(since, 1, "inbound_50053")
    for header, key in (("x-request-id", "request_id"), ("traceparent", "traceparent")):
        seen = f"{header}: {incoming[key]} came in, {outgoing[key]} went out"
        hold(incoming[key] == outgoing[key] == sent[header], seen)
    return (
        f"access log of the front desk's Envoy, of calls to it and of its own: both "
        f"x-request-id {outgoing['request_id']}, traceparent {outgoing['traceparent']}"
    )


def replaced(mesh: Mesh, greetings: Greetings) -> str:
    """A provider is drained and replaced under load, and no call is lost"""
    provider, since = next(mesh.next_replaced), time.time()
    cluster = f"cluster.{CLUSTER}.membership_healthy"
    with Load(greetings) as load:
        load.start()
        load.wait_answered("", 100)
        healthy = [mesh.stat(cluster)]
        old = f"{provider.name} ({provider.app.pid})"
        took = provider.replace()
        new = f"{provider.name} ({provider.app.pid})"
        healthy.append(mesh.stat(cluster))
        mesh.envoy.wait_healthy(CLUSTER, 2)
        healthy.append(mesh.stat(cluster))
        load.wait_answered(new, 50)
    calls, lost = load.answered.total() + load.lost.total(), load.lost.total()
    logged = Counter((entry["grpc_status"], entry["attempts"]) for entry in mesh.entries(since, calls))
    why = f" ({', '.join(sorted(load.lost))})" if lost else ""
    seen = (
        f"{calls} calls, {lost} lost{why}; {old} ended within {took:.1f} s, {new} took its place and "
        f"answered {load.answered[new]}; healthy hosts: {', '.join(map(str, healthy))}; access log: "
        + ", ".join(f"{count} {status} at attempt {attempt}" for (status, attempt), count in logged.items())
    )
    hold(lost == 0 and logged == {("OK", 1): calls} and healthy == [2, 1, 2], seen)
    return seen


def on_istio(mesh: Mesh, greetings: Greetings) -> str:
    """Istio's own control plane runs on what is generated: its sidecar retries for the same stub only"""
    calls, port = 5, mesh.ports[-1]
    target = dubbo_mesh.Target("greeter", demo_istio.NAMESPACE, port)
    greeters = [each.ingress for each in mesh.greeters]
    environment = {
        "POD_NAMESPACE": demo_istio.NAMESPACE,
        "DUBBO_MESH_EGRESS": f"127.0.0.1:{port}",
        "DUBBO_MESH_FORWARDED_FOR": "pod",
        "POD_IP": demo_istio.CALLER,
    }
    with ExitStack() as stack:
        envoy = stack.enter_context(
            demo_istio.sidecar(protoc(), config_file(mesh.ports[0]), port, greeters, mesh.directory / "istio")
        )
        stack.enter_context(patch.dict(os.environ, environment))
        plain = greetings.plain_stub(stack.enter_context(dubbo_mesh.channel(target)))
        failed = 0
        for _ in range(calls):
            try:
                plain.sayHello(greetings.request("Second"), timeout=5)
            except grpc.RpcError as error:
                hold(error.code() is grpc.StatusCode.UNAVAILABLE, f"protoc's stub: {describe(error)}")
                failed += 1
        by_itself = demo_istio.retried(envoy)
        hold(failed == calls and by_itself == 0, f"Istio retried {by_itself} calls that nobody asked for")
        greeter = stack.enter_context(greetings.stub(target=target))
        answered = Counter(instance(greeter.sayHello(greetings.request("Second"))) for _ in range(calls))
        retried = demo_istio.retried(envoy)
    hold(retried == calls, f"{answered.total()} of {calls} calls were answered, with {retried} retries")
    return (
        "an Envoy that istiod configures from the Service, the VirtualService and the EnvoyFilter: "
        f"{calls} calls of a provider that is UNAVAILABLE at first were answered, with {retried} retries; "
        f"through protoc's stub: UNAVAILABLE, {by_itself} retries, where Istio's default is 2 for each call"
    )


CLAIMS = (authority, both_providers, retries, context)


def check(claim: Callable[[Mesh, Greetings], str], mesh: Mesh, greetings: Greetings) -> bool:
    """Prints whether a claim holds, and the evidence."""
    try:
        holds, evidence = True, claim(mesh, greetings)
    except grpc.RpcError as error:
        holds, evidence = False, f"a call failed: {describe(error)}"
    except (ClaimError, TimeoutError, RuntimeError) as error:
        holds, evidence = False, str(error)
    print(f"{'ok' if holds else 'FAILED':8}{claim.__doc__}")
    print(textwrap.fill(evidence, 110, initial_indent=" " * 10, subsequent_indent=" " * 10), flush=True)
    return holds


def main() -> int:
    """Runs the demo; returns the exit status."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    options.add_argument("--keep", action="store_true", help="leave the mesh up until Ctrl-C")
    options.add_argument("--rounds", type=int, default=1, help="how often to replace a provider under load")
    options.add_argument(
        "--without",
        action="append",
        choices=FEATURES,
        default=[],
        help="leave a feature out: " + "; ".join(f"{name}: {what}" for name, what in FEATURES.items()),
    )
    chosen = options.parse_args()
    signal.signal(signal.SIGTERM, end)
    began = time.monotonic()
    with ExitStack() as stack:
        mesh = Mesh(stack, set(chosen.without))
        for feature in chosen.without:
            print(f"without {feature}: {FEATURES[feature]}{mesh.leave_out(feature)}", flush=True)
        mesh.start()
        version = json.loads(mesh.envoy.admin.get("/server_info"))["version"].split("/")[1]
        print(f"Two greeters and a front desk, each beside an Envoy {version} of its own\n")
        # All that the stub is given: what the pod's spec would say.
        os.environ |= mesh.frontdesk.variables()
        greetings = Greetings(mesh.generated)
        stack.enter_context(greetings.greeter)
        claims = [*CLAIMS, *[replaced] * chosen.rounds]
        skipped = FEATURES["istio"] if "istio" in chosen.without else demo_istio.missing()
        if not skipped:
            claims.append(on_istio)
        results = [check(claim, mesh, greetings) for claim in claims]
        if skipped:
            print(f"{'skipped':8}{on_istio.__doc__}\n{'':10}{skipped}")
        print(f"\n{sum(results)} of {len(results)} claims hold, {time.monotonic() - began:.1f} s")
        if chosen.keep:
            keep(mesh)
    return 0 if all(results) else 1


def end(signum: int, _: object) -> None:
    """Ends the process in an orderly way, with the exit status that a signal gives."""
    sys.exit(128 + signum)


def keep(mesh: Mesh) -> None:
    """Prints where everything is, and waits for Ctrl-C."""
    print(f"\nfiles and logs    {mesh.directory}")
    for each in (mesh.frontdesk, *mesh.greeters):
        where = [f"admin http://{each.sidecar.admin_address}", f"calls to it {each.ingress}"]
        print(f"{each.name:18}{', '.join(where)}, process {each.app.pid}")
    environment = f"set -a; . {mesh.frontdesk.environment}; PYTHONPATH={mesh.generated}"
    print(f"call the greeter  {environment}; {sys.executable} {GREETER / 'client.py'} Ada")
    print("Ctrl-C ends it.", flush=True)
    with suppress(KeyboardInterrupt):
        signal.pause()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except (OSError, localmesh.EnvoyError, subprocess.CalledProcessError) as error:
        sys.exit(f"the mesh could not be started: {error}")
