"""The report as JSON. The keys are documented in docs/explain.md, and stable."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .model import ConfiguredValue, Handling, InMesh, Report, Rpc, Sent, Service


def render(report: Report) -> str:
    """The report as one document, in ASCII, with a final newline. Durations are in seconds."""
    document = {
        "services": {service.name: _service(service) for service in report.services},
        "warnings": list(report.warnings),
    }
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def _service(service: Service) -> dict[str, Any]:
    return {
        "where": service.where,
        "address": service.address,
        "identity": {name: _value(configured, name) for name, configured in service.identity.items()},
        "rpcs": {rpc.name: _rpc(rpc) for rpc in service.rpcs},
    }


def _rpc(rpc: Rpc) -> dict[str, Any]:
    return {
        "where": rpc.where,
        "paths": list(rpc.paths),
        "shape": rpc.shape,
        "idempotent": rpc.idempotent,
        "idempotency_level": _value(rpc.idempotency_level),
        "policies": {name: _value(configured) for name, configured in rpc.policies.items()},
        "sent": _sent(rpc.sent),
        "meshes": {name: _in_mesh(mesh) for name, mesh in rpc.meshes.items()},
        "emitted": None if rpc.emitted is None else _in_mesh(rpc.emitted),
        "cautions": list(rpc.cautions),
    }


def _value(configured: ConfiguredValue, name: str = "") -> dict[str, Any]:
    value = configured.value
    if name == "labels" and value is not None:
        value = dict(value)
    return {"value": value, "source": configured.origin.source, "where": configured.origin.where or None}


def _sent(sent: Sent) -> dict[str, Any]:
    return {"deadline": sent.deadline, "headers": dict(sent.headers)}


def _in_mesh(mesh: InMesh) -> dict[str, Any]:
    return {"by_default": _handling(mesh.by_default), "if_obeyed": _handling(mesh.if_obeyed)}


def _handling(handling: Handling) -> dict[str, Any]:
    return {
        "timeout": handling.timeout,
        "per_try_timeout": handling.per_try_timeout,
        "hedges": handling.hedges,
        "max_retries": handling.max_retries,
        "retry_on": list(handling.retry_on),
    }
