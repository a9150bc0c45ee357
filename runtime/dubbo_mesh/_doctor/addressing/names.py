"""Checks whether a name can be resolved, how long that takes, and how many queries it needs."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence

from ..budget import Budget
from ..finding import Finding, problem
from ..wording import first_of, measured_time
from .resolv_conf import ResolvConf

_SLOW = 1.0  # seconds
_SHOWN = 4  # addresses
_AT_MOST = 5.0  # seconds, of the budget
_QUERIES = 2  # for each name that is tried: one for IPv4 addresses, one for IPv6

_NO_SUCH_NAME = {socket.EAI_NONAME}
_NO_ADDRESS = {getattr(socket, name) for name in ("EAI_NODATA", "EAI_ADDRFAMILY") if hasattr(socket, name)}


def check_name(host: str, name: str, budget: Budget, resolver: ResolvConf) -> tuple[Finding, Sequence[str]]:
    """Reports how a name is resolved; returns its addresses as well.

    Args:
        host: the name; with a trailing dot, the search list does not apply.
        name: what is called.
        budget: the time for all checks.
        resolver: the configuration of name resolution.
    """
    asked = f"asked {' and '.join(resolver.nameservers)}" if resolver.nameservers else ""
    start = time.monotonic()
    try:
        addresses = budget.run(lambda: _resolve(host), _AT_MOST)
    except TimeoutError as error:
        return problem("DM123", _joined(f"{name}: {host}: {error}", asked), subject=name), ()
    except socket.gaierror as error:
        took = time.monotonic() - start
        if error.errno in _NO_SUCH_NAME:
            seen = f"{name}: the name {host} does not exist"
            return problem("DM106", _joined(seen, asked), subject=name), ()
        if error.errno in _NO_ADDRESS:
            seen = f"{name}: the name {host} exists, and has no address"
            return problem("DM124", seen, subject=name), ()
        seen = f"{name}: {host} cannot be resolved now: {error.strerror}, after {measured_time(took)}"
        return problem("DM123", _joined(seen, asked), subject=name), ()
    except OSError as error:
        seen = f"{name}: {host} cannot be resolved: {error.strerror or error}"
        return problem("DM123", seen, subject=name), ()
    took = time.monotonic() - start
    seen = f"{name}: {host} is {first_of(addresses, _SHOWN)}, found in {measured_time(took)}"
    if took > _SLOW:
        return problem("DM125", _joined(seen, asked), subject=name), addresses
    return Finding("dns", "ok", _joined(seen, queries(host, resolver)), subject=name), addresses


def _resolve(host: str) -> tuple[str, ...]:
    """The addresses of a name, each once, in the resolver's order."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except UnicodeError:  # a label that is too long for DNS
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known") from None
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


def queries(host: str, resolver: ResolvConf) -> str:
    """How many queries a lookup makes and why; empty for a name that the search list applies to.

    That one may be found in /etc/hosts, or with the first domain of the list.
    """
    if not host.endswith("."):
        return ""
    without_dot = resolver.names_tried(host[:-1])
    saved = without_dot.index(host) * _QUERIES
    said = f"{_QUERIES} queries, A and AAAA"
    if not saved:
        return said
    return f"{said}; its trailing dot saves {saved} of the search list (ndots:{resolver.ndots})"


def _joined(seen: str, more: str) -> str:
    return f"{seen}; {more}" if more else seen
