"""Checks how targets are dialled, and whether anything listens there."""

from __future__ import annotations

import importlib
import re
import socket
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from .._addressing.dialing import Dial, dial
from .._addressing.environment import Environment
from .._contract.errors import ConfigurationError
from .._contract.service import Service
from .._contract.target import Target
from .aliases import check_aliases
from .finding import Finding

_TARGET = re.compile(r"(?P<app>[^.:]+)(?:\.(?P<namespace>[^.:]+))?(?::(?P<port>[0-9]+))?")


class _Named(NamedTuple):
    """What the command line names: a target, and the service that it was named by if it was."""

    name: str
    target: Target
    service: Service | None = None


def check_target(
    given: str, environment: Environment, timeout: float
) -> tuple[list[Finding], list[Service | None]]:
    """Checks a target, or all services of a generated module.

    Args:
        given: the target or the module's name, as given on the command line.
        environment: of this process.
        timeout: seconds to connect within.

    Returns:
        The findings, and the services; None stands for one that is not known.
    """
    try:
        named = list(_named(given))
    except (ConfigurationError, ValueError) as error:
        remedy = "name it as APP, APP:PORT, APP.NAMESPACE:PORT or a generated module"
        return [Finding("dial", "failed", f"{given}: {error}", remedy)], [None]
    return list(_check(named, environment, timeout)), [each.service for each in named]


def _check(named: Iterable[_Named], environment: Environment, timeout: float) -> Iterator[Finding]:
    for each in named:
        try:
            way = dial(each.target, environment)
        except ConfigurationError as error:
            yield Finding("dial", "failed", f"{each.name}: {error}", "set the variable that is named")
            continue
        yield Finding("dial", "ok", f"{each.name}: {_described(way, each.target, environment)}")
        if environment.mode != "proxyless":
            yield _check_listening(each.name, way.address, environment, timeout)
        if each.service is not None:
            yield from check_aliases(each.service)


def _named(given: str) -> Iterator[_Named]:
    """Yields the target, or a target for each service of a generated module.

    Raises:
        ValueError: it is neither; or no app is known that provides a service.
    """
    if given.endswith("_mesh"):  # which cannot be an app: a DNS label has no underscore
        try:
            module = importlib.import_module(given)
        except ImportError as error:
            raise ValueError(f"cannot be imported: {error}") from error
        found = (getattr(value, "__mesh__", None) for value in vars(module).values())
        for service in dict.fromkeys(each for each in found if isinstance(each, Service)):
            yield _Named(service.name, service.target(), service)
        return
    match = _TARGET.fullmatch(given)
    if match is None:
        raise ValueError("neither a target nor the name of a generated module")
    yield _Named(given, Target(match["app"], match["namespace"], int(match["port"] or 80)))


def _described(way: Dial, target: Target, environment: Environment) -> str:
    default = way.address if environment.mode == "direct" else target.authority
    authority = dict(way.options).get("grpc.default_authority", default)
    return f"{way.address}, :authority {authority}; {way.why}"


def _check_listening(name: str, address: str, environment: Environment, timeout: float) -> Finding:
    host, _, port = address.removeprefix("dns:///").rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout):
            return Finding("reachable", "ok", f"{name}: something listens at {address}")
    except socket.gaierror as error:
        remedy = (
            "in Kubernetes: is there a Service of that name in that namespace? "
            "Elsewhere: set DUBBO_MESH_EGRESS to the sidecar's listener, or DUBBO_MESH_MODE=direct"
        )
        return Finding("reachable", "failed", f"{name}: {host} cannot be resolved: {error.strerror}", remedy)
    except OSError as error:
        if environment.mode == "direct":
            remedy = "is the provider up? Its address is from DUBBO_MESH_DIRECT"
        elif environment.egress is not None:
            remedy = "is the sidecar up? The address of its egress listener is from DUBBO_MESH_EGRESS"
        else:
            remedy = (
                "is the provider's Service up, and does the sidecar intercept connections of this process?"
            )
        return Finding("reachable", "failed", f"{name}: {address}: {error.strerror or error}", remedy)
