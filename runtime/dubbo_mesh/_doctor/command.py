"""What `python -m dubbo_mesh doctor` looks at: the mesh, as generated code would find it from here."""

from __future__ import annotations

import importlib
import ipaddress
import json
import os
import re
import socket
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast

from .._addressing.dialing import dial
from .._addressing.environment import Environment
from .._contract.errors import ConfigurationError
from .._contract.service import Service
from .._contract.target import Target
from .._contract.validation import check_host_port

_TARGET = re.compile(r"(?P<app>[^.:]+)(?:\.(?P<namespace>[^.:]+))?(?::(?P<port>[0-9]+))?")
_HCM = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_LARGEST_DUMP = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        check: what was looked at.
        status: `skipped` where there was nothing to look at.
        finding: what was seen.
        remedy: what to do about it, where something is wrong.
    """

    check: Literal["environment", "dial", "reachable", "admin", "headers", "health", "probes"]
    status: Literal["ok", "failed", "skipped"]
    finding: str
    remedy: str = ""


def render(findings: Sequence[Finding], *, as_json: bool) -> str:
    """The findings for a person, or as a JSON list of objects with the attributes of `Finding`."""
    if as_json:
        return json.dumps([asdict(finding) for finding in findings], indent=2)
    lines: list[str] = []
    for finding in findings:
        lines.append(f"{finding.status:8}{finding.check:13}{finding.finding}")
        if finding.remedy:
            lines.append(f"{'':21}-> {finding.remedy}")
    return "\n".join(lines)


def examine(targets: Sequence[str], server: str | None, timeout: float) -> list[Finding]:
    """Looks at everything there is to look at.

    Args:
        targets: what is to be called, as the command line takes it.
        server: `host:port` of this application's own server, if it has one.
        timeout: seconds for each question.
    """
    try:
        environment = Environment.read()
    except ConfigurationError as error:
        return [Finding("environment", "failed", str(error), "correct the variable, or unset it")]
    findings = [_said(environment)]
    for each in targets:
        findings.extend(_look_at_target(each, environment, timeout))
    if not targets:
        findings.append(
            Finding(
                "dial", "skipped", "no target was named: name an app, or a generated module, to see its way"
            )
        )
    findings.extend(_look_at_sidecar(environment, timeout))
    findings.extend(_look_at_server(server, environment, timeout))
    return findings


def _said(environment: Environment) -> Finding:
    names = ("POD_NAMESPACE", "CLUSTER_DOMAIN", "POD_IP")
    said = [
        f"{name}={value}"
        for name, value in sorted(os.environ.items())
        if value and (name in names or name.startswith("DUBBO_MESH_"))
    ]
    return Finding("environment", "ok", f"mode {environment.mode}; {', '.join(said) or 'nothing is set'}")


def _look_at_target(said: str, environment: Environment, timeout: float) -> Iterator[Finding]:
    try:
        targets = list(_targets(said))
    except (ConfigurationError, ValueError) as error:
        yield Finding(
            "dial", "failed", f"{said}: {error}", "APP, APP:PORT, APP.NAMESPACE:PORT or a generated module"
        )
        return
    for name, target in targets:
        try:
            way = dial(target, environment)
        except ConfigurationError as error:
            yield Finding("dial", "failed", f"{name}: {error}", "set the variable that is named")
            continue
        by_default = way.address if environment.mode == "direct" else target.authority
        authority = dict(way.options).get("grpc.default_authority", by_default)
        yield Finding("dial", "ok", f"{name}: {way.address}, :authority {authority}; {way.why}")
        if environment.mode != "proxyless":
            yield _reach(name, way.address, environment, timeout)


def _targets(said: str) -> Iterator[tuple[str, Target]]:
    """What a word of the command line stands for: a target, or the services of a generated module.

    Raises:
        ValueError: it stands for neither, or nothing says which app provides a service.
    """
    if said.endswith("_mesh"):  # which is no app: a DNS label has no underscore
        try:
            module = importlib.import_module(said)
        except ImportError as error:
            raise ValueError(f"cannot be imported: {error}") from error
        found = (getattr(value, "__mesh__", None) for value in vars(module).values())
        services = dict.fromkeys(service for service in found if isinstance(service, Service))
        yield from ((service.name, service.target()) for service in services)
        return
    match = _TARGET.fullmatch(said)
    if match is None:
        raise ValueError("neither a target nor the name of a generated module")
    yield said, Target(match["app"], match["namespace"], int(match["port"] or 80))


def _reach(name: str, address: str, environment: Environment, timeout: float) -> Finding:
    host, _, port = address.removeprefix("dns:///").rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout):
            return Finding("reachable", "ok", f"{name}: something listens at {address}")
    except socket.gaierror as error:
        remedy = (
            "in Kubernetes: is there a Service of that name in that namespace? "
            "Elsewhere: set DUBBO_MESH_EGRESS to the sidecar's listener, or DUBBO_MESH_MODE=direct"
        )
        return Finding("reachable", "failed", f"{name}: {host} cannot be looked up: {error.strerror}", remedy)
    except OSError as error:
        if environment.mode == "direct":
            remedy = "is the provider up? DUBBO_MESH_DIRECT says where it is"
        elif environment.egress is not None:
            remedy = "is the sidecar up? DUBBO_MESH_EGRESS says where its egress listener is"
        else:
            remedy = (
                "is the provider's Service up, and does the sidecar intercept this process's connections?"
            )
        return Finding("reachable", "failed", f"{name}: {address}: {error.strerror or error}", remedy)


def _look_at_sidecar(environment: Environment, timeout: float) -> Iterator[Finding]:
    if environment.mode != "sidecar" or environment.admin is None:
        why = "DUBBO_MESH_ADMIN is off" if environment.admin is None else f"the mode is {environment.mode}"
        yield Finding("admin", "skipped", why)
        yield Finding("headers", "skipped", "no sidecar to read the configuration of")
        return
    from .._sidecar.admin import Sidecar

    try:
        dump = _get_config_dump(environment.admin, timeout)
    except (OSError, ValueError) as error:
        yield Finding(
            "admin",
            "failed",
            f"{environment.admin}: {getattr(error, 'strerror', None) or error}",
            "DUBBO_MESH_ADMIN says where Envoy's admin endpoint is; set it to off if there is no sidecar",
        )
        yield Finding("headers", "skipped", "the sidecar's configuration cannot be read")
        return
    if Sidecar(environment.admin, timeout=timeout).ready():
        yield Finding("admin", "ok", f"the sidecar answers at {environment.admin}, and is ready")
    else:
        remedy = "wait for it, or look into its log: it may lack its configuration"
        yield Finding("admin", "failed", f"the sidecar at {environment.admin} is not ready", remedy)
    yield _judge(list(_connection_managers(dump, environment)), environment)


def _get_config_dump(admin: str, timeout: float) -> Any:
    from http.client import HTTPConnection, HTTPException

    host, _, port = admin.rpartition(":")
    connection = HTTPConnection(host.strip("[]"), int(port), timeout=timeout)
    try:
        connection.request("GET", "/config_dump?include_eds=off")
        answer = connection.getresponse()
        if answer.status != 200:
            raise ValueError(f"status {answer.status}")
        return json.loads(answer.read(_LARGEST_DUMP))
    except HTTPException as error:
        raise ValueError(str(error) or type(error).__name__) from error
    finally:
        connection.close()


def _connection_managers(dump: Any, environment: Environment) -> Iterator[tuple[str, dict[str, Any]]]:
    """The HTTP connection managers that this application's calls can pass, with their listeners' names."""
    egress_port = int(environment.egress.rpartition(":")[2]) if environment.egress is not None else None
    for listener in _dicts_with(dump, "filter_chains", "default_filter_chain"):
        if listener.get("traffic_direction") == "INBOUND":
            continue
        bound = listener.get("address", {}).get("socket_address", {}).get("port_value")
        if egress_port is not None and bound != egress_port:
            continue
        for typed in _dicts_with(listener, "@type"):
            if typed["@type"].endswith(_HCM):
                yield str(listener.get("name", bound)), typed


def _dicts_with(node: Any, *keys: str) -> Iterator[dict[str, Any]]:
    """The objects, however deep, that have one of the keys."""
    if isinstance(node, dict):
        known = cast("dict[str, Any]", node)
        if any(key in known for key in keys):
            yield known
        for value in known.values():
            yield from _dicts_with(value, *keys)
    elif isinstance(node, list):
        for value in cast("list[object]", node):
            yield from _dicts_with(value, *keys)


def _judge(managers: Sequence[tuple[str, dict[str, Any]]], environment: Environment) -> Finding:
    """Whether Envoy obeys the router's headers there; the rules were measured on Envoy 1.40."""
    if not managers:
        return Finding(
            "headers",
            "failed",
            "the sidecar has no HTTP listener for outgoing calls",
            "look at its configuration",
        )
    for name, manager in managers:
        trouble = _distrust(manager, environment.forwarded_for)
        if trouble is not None:
            return Finding(
                "headers",
                "failed",
                f"listener {name} drops timeout and retry headers: {trouble[0]}",
                trouble[1],
            )
    listeners = ", ".join(dict.fromkeys(name for name, _ in managers))
    return Finding("headers", "ok", f"timeout and retry headers are obeyed ({listeners})")


def _distrust(manager: dict[str, Any], forwarded_for: str | None) -> tuple[str, str] | None:
    """Why this connection manager holds our requests to be external, and the remedy; None if it does not."""
    internal = manager.get("internal_address_config", {}).get("cidr_ranges", [])
    if not internal:
        return (
            "no address counts as internal",
            "give it an internal_address_config, or leave timeouts and retries to its routes",
        )
    if manager.get("use_remote_address"):
        if forwarded_for is not None:
            return (
                "use_remote_address is on, and DUBBO_MESH_FORWARDED_FOR makes every request external there",
                "set DUBBO_MESH_FORWARDED_FOR to off",
            )
        return None
    if forwarded_for is None:
        return (
            "it goes by x-forwarded-for (use_remote_address is off), and none is sent",
            "set DUBBO_MESH_FORWARDED_FOR to an address of its internal_address_config",
        )
    address = ipaddress.ip_address(forwarded_for)
    networks = (f"{each.get('address_prefix')}/{each.get('prefix_len', 0)}" for each in internal)
    if not any(address in ipaddress.ip_network(network, strict=False) for network in networks):
        return (
            f"DUBBO_MESH_FORWARDED_FOR is {forwarded_for}, which its internal_address_config does not have",
            "set it to an address that is in there, or add it",
        )
    return None


def _look_at_server(server: str | None, environment: Environment, timeout: float) -> Iterator[Finding]:
    if server is None:
        yield Finding("health", "skipped", "no --server was named")
        return
    try:
        check_host_port("--server", server)
    except ValueError as error:
        yield Finding("health", "failed", str(error), "host:port")
        return
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    serving = health_pb2.HealthCheckResponse.SERVING
    with grpc.insecure_channel(server, (("grpc.enable_http_proxy", 0),)) as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        try:
            status = health.Check(health_pb2.HealthCheckRequest(), timeout=timeout).status
        except grpc.RpcError as error:
            call: Any = error
            remedy = "is the server up, and does it listen there?"
            if call.code() is grpc.StatusCode.UNIMPLEMENTED:
                remedy = "serve with dubbo_mesh.serve, or add a servicer by its generated add_..._to_server"
            yield Finding("health", "failed", f"{server}: {call.code().name}: {call.details()}", remedy)
        else:
            name = health_pb2.HealthCheckResponse.ServingStatus.Name(status)
            remedy = (
                "" if status == serving else "the server is starting or draining, or a health check fails"
            )
            yield Finding("health", "ok" if status == serving else "failed", f"{server}: {name}", remedy)
    if environment.probes is not None:
        yield _probe(environment.probes, timeout)


def _probe(address: str, timeout: float) -> Finding:
    from http.client import HTTPConnection, HTTPException

    host, _, port = address.rpartition(":")
    everywhere = {"0.0.0.0": "127.0.0.1", "[::]": "::1"}  # noqa: S104 - where it listens, not where we do
    host = everywhere.get(host, host).strip("[]")
    connection = HTTPConnection(host, int(port), timeout=timeout)
    try:
        connection.request("GET", "/ready")
        answer = connection.getresponse()
        body = answer.read(100).decode("ascii", "replace")
    except (OSError, HTTPException) as error:
        return Finding(
            "probes", "failed", f"{address}: {error}", "DUBBO_MESH_PROBES says where they are answered"
        )
    finally:
        connection.close()
    if answer.status == 200:
        return Finding("probes", "ok", f"{address}/ready: {body}")
    remedy = "the server is starting or draining, or the sidecar that it requires is not ready"
    return Finding("probes", "failed", f"{address}/ready: {answer.status} {body}", remedy)
