"""Asks the probes that Kubernetes asks: `/live`, `/startup` and `/ready`."""

from __future__ import annotations

import time
from collections.abc import Iterator

from ..._addressing.environment import Environment
from ..budget import Budget
from ..finding import Finding, problem
from .address import Address, Endpoint, parse
from .pod import in_kubernetes, is_set, why_hidden

_PATHS = ("/live", "/startup", "/ready")
_ANSWERS = {(200, "true"): True, (503, "false"): False}
_LARGEST = 4096  # bytes; those of dubbo_mesh have about a hundred


class _StrangerError(Exception):
    """What answers are not the probes of dubbo_mesh. The message is what it said."""


def check_probes(environment: Environment, budget: Budget) -> Iterator[Finding]:
    """Asks the probes at the address that the environment gives them.

    Args:
        environment: of this process.
        budget: the time that is left.
    """
    if environment.probes is None:
        yield Finding("probes", "skipped", "DUBBO_MESH_PROBES is off")
        return
    address = parse("DUBBO_MESH_PROBES:", environment.probes)
    try:
        endpoint, answers = _ask_all(address, budget)
    except _StrangerError as stranger:
        yield problem("DM421", f"{address.given}: {stranger}", subject=address.given)
        return
    except OSError as error:
        budget.left()
        seen = f"{address.given}: {error.strerror or error}"
        if is_set("DUBBO_MESH_PROBES") or in_kubernetes():
            yield problem("DM404", seen, subject=address.given)
        else:
            why = f"nothing answers at the default address, {seen}"
            remedy = "if the server's code says where, set DUBBO_MESH_PROBES to that"
            yield Finding("probes", "skipped", why, remedy, subject=address.given)
        return
    yield from _judged(address.given, answers)
    hidden = why_hidden(address, endpoint, budget, listened_on=True)
    if hidden is not None:
        yield problem("DM422", f"{address.given}: {hidden}", subject=address.given)


def _judged(address: str, answers: dict[str, bool]) -> Iterator[Finding]:
    said = ", ".join(f"{path} {'true' if answer else 'false'}" for path, answer in answers.items())
    seen = f"{address}: {said}"
    if not answers["/live"]:
        yield problem("DM419", seen, subject=address)
    elif not answers["/startup"]:
        yield problem("DM420", seen, subject=address)
    elif not answers["/ready"]:
        yield problem("DM405", seen, subject=address)
    else:
        yield Finding("probes", "ok", seen, subject=address)


def _ask_all(address: Address, budget: Budget) -> tuple[Endpoint, dict[str, bool]]:
    """Where the probes answer, and what.

    Raises:
        OSError: they do not.
        _StrangerError: something else answers.
    """
    return address.first(lambda endpoint: {path: _ask(endpoint, path, budget) for path in _PATHS})


def _ask(endpoint: Endpoint, path: str, budget: Budget) -> bool:
    timeout = budget.left(1.0)
    end = time.monotonic() + timeout
    received = b""
    with endpoint.connect(timeout) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {endpoint}\r\nConnection: close\r\n\r\n".encode())
        while len(received) < _LARGEST:
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError("no answer in time")
            connection.settimeout(left)
            more = connection.recv(_LARGEST)
            if not more:
                break
            received += more
    head, _, body = received.partition(b"\r\n\r\n")
    words = head.split(b"\r\n", 1)[0].split()
    if not received:
        raise ConnectionResetError("the connection is closed without an answer")
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
        raise _StrangerError(f"the answer to {path} is not HTTP: {_shown(received)}")
    status = int(words[1][:3])
    answer = _ANSWERS.get((status, body.decode("ascii", "replace").strip()))
    if answer is None:
        raise _StrangerError(f"{path}: {status} {_shown(body)}")
    return answer


def _shown(content: bytes) -> str:
    return repr(content[:60].decode("ascii", "replace"))
