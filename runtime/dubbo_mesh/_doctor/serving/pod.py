"""The pod that this process is in, and whether what listens in it can be reached from outside."""

from __future__ import annotations

import ipaddress
import os

from ..budget import Budget
from .address import Address, Endpoint


def is_set(name: str) -> bool:
    """Whether a variable is set."""
    return bool(os.environ.get(name))


def in_kubernetes() -> bool:
    """Whether this process runs in a pod."""
    return is_set("KUBERNETES_SERVICE_HOST")


def why_hidden(address: Address, reached: Endpoint, budget: Budget, *, listened_on: bool) -> str | None:
    """Why others than this pod cannot reach what listens at an address; None if nothing says so.

    The kubelet connects to the pod's IP. So do Istio's sidecars, since 1.10 (its analysis calls the problem
    IST0143).

    Args:
        address: by which it was named.
        reached: where it has been reached.
        budget: the time that is left.
        listened_on: whether the address is what is given to the server, and not only how it is reached.
    """
    if reached.path or (reached.host not in ("localhost", "::1") and not reached.host.startswith("127.")):
        return None
    if listened_on and in_kubernetes() and address.loopback_only:
        return "it is an address of the loopback interface, which nobody else can reach"
    pod_ip = _pod_ip()
    if pod_ip is None:
        return None
    try:
        Endpoint(pod_ip, reached.port).connect(budget.left(0.5)).close()
    except ConnectionRefusedError:
        return f"nothing listens at the pod's IP, {pod_ip}, but at {reached.host} alone"
    except OSError:  # there is no way there: it is not this host's
        return None
    return None


def _pod_ip() -> str | None:
    """The pod's IP (`POD_IP`); None if it is not known."""
    given = os.environ.get("POD_IP", "")
    try:
        return str(ipaddress.ip_address(given))
    except ValueError:
        return None
