"""Checks the sidecar: whether it is ready, and whether it honours the router's headers of our calls."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException
from typing import Any

from .._addressing.environment import Environment
from .._sidecar.admin import Sidecar
from .finding import Finding
from .headers import check_headers

_LARGEST_DUMP = 64 * 2**20  # bytes


def check_sidecar(environment: Environment, timeout: float, *, by_routes: bool = False) -> Iterator[Finding]:
    """Asks the sidecar's admin endpoint whether it is ready, and for its configuration.

    Args:
        environment: of this process.
        timeout: seconds to wait for each answer.
        by_routes: whether the stubs that are used leave timeouts and retries to the sidecar's routes.
    """
    if environment.mode != "sidecar" or environment.admin is None:
        why = "DUBBO_MESH_ADMIN is off" if environment.admin is None else f"the mode is {environment.mode}"
        yield Finding("admin", "skipped", why)
        yield Finding("headers", "skipped", "there is no sidecar whose configuration could be read")
        return
    try:
        dump = _config_dump(environment.admin, timeout)
    except (OSError, ValueError) as error:
        yield Finding(
            "admin",
            "failed",
            f"{environment.admin}: {getattr(error, 'strerror', None) or error}",
            "set DUBBO_MESH_ADMIN to the address of Envoy's admin endpoint, or to off if there is no sidecar",
        )
        yield Finding("headers", "skipped", "the sidecar's configuration cannot be read")
        return
    if Sidecar(environment.admin, timeout=timeout).ready():
        yield Finding("admin", "ok", f"the sidecar answers at {environment.admin}, and is ready")
    else:
        remedy = "wait for it, or look into its log: it may lack its configuration"
        yield Finding("admin", "failed", f"the sidecar at {environment.admin} is not ready", remedy)
    if by_routes:
        yield Finding("headers", "skipped", "stubs send none: their timeouts and retries are the routes'")
    else:
        yield check_headers(dump, environment)


def _config_dump(admin: str, timeout: float) -> Any:
    """Returns the answer of `/config_dump`.

    Raises:
        OSError: there is no answer.
        ValueError: the answer is not what Envoy's would be.
    """
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
