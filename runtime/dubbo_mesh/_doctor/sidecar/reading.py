"""Finds the sidecar and reads its configuration. Only asks, and never changes anything."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..._addressing.environment import Environment
from ..budget import Budget
from ..envoy.configuration.snapshot import Snapshot
from ..finding import Finding, problem
from .asking import Answer, LargeError, StrangeError, UnreachableError, ask
from .condition import WAITING, check_condition
from .files import check_files
from .parsing import parsed, without_collection

_STATISTICS = "/stats?filter=update_rejected%7Ccontrol_plane%5C.connected_state"
_INFO = "/server_info"
_SHORT = 1 << 22
"""Bytes of all answers but those that tell of every cluster."""

_FOR_STATISTICS = 2.0  # seconds
_PAUSES = (0.2, 0.5)  # seconds
_SHARE = 0.8
"""Of the time that is left: a sidecar that is slow must not keep the checks behind it from running."""


def check_sidecar(
    environment: Environment, budget: Budget, files: Sequence[Path] = ()
) -> Iterator[Finding | Snapshot]:
    """Reports whether there is a sidecar and in which condition it is; yields its configuration as well.

    Args:
        environment: of this process.
        budget: the time that is left.
        files: saved answers of the admin endpoint, or what istioctl prints. With some, nobody is asked.
    """
    named = bool(os.environ.get("DUBBO_MESH_ADMIN"))
    if files:
        yield from check_files(files, budget)
    elif environment.admin is None:
        yield from _nothing("DUBBO_MESH_ADMIN is off")
    elif environment.mode != "sidecar" and not named:
        yield from _nothing(f"the mode is {environment.mode}")
    else:
        # The same signs of a sidecar as servers go by: see _serving.options.
        expected = named or environment.egress is not None
        yield from _check_admin(environment.admin, expected, budget.part(budget.left() * _SHARE))


def _nothing(why: str) -> Iterator[Finding]:
    yield Finding("admin", "skipped", why)
    yield Finding("headers", "skipped", "there is no sidecar whose configuration could be read")


def _check_admin(admin: str, expected: bool, budget: Budget) -> Iterator[Finding | Snapshot]:
    snapshot = Snapshot()
    trouble = _read(snapshot, admin, _INFO, expected, budget)
    if trouble is None and snapshot.state != "":
        trouble = _read(snapshot, admin, "/config_dump", True, budget)
    elif trouble is None:
        trouble = _stranger(admin, "it has no state", expected)
    if trouble is not None:
        yield trouble
        yield Finding("headers", "skipped", "there is no sidecar whose configuration could be read")
        return
    no_hosts = _read(snapshot, admin, "/clusters?format=json", True, budget)
    if no_hosts is not None:
        yield no_hosts
    _read_statistics(snapshot, admin, budget)
    yield from check_condition(snapshot, f"the sidecar at {admin}")
    if snapshot.state in WAITING:
        # What is missing is still to come. A list of what would not work without it says nothing.
        yield Finding("listener", "skipped", "the sidecar has not started yet")
        yield Finding("headers", "skipped", "the sidecar has not started yet")
    else:
        yield snapshot


def _read(snapshot: Snapshot, admin: str, path: str, expected: bool, budget: Budget) -> Finding | None:
    """Adds an answer to the snapshot; returns the problem if there is one."""
    where = f"{admin}{path}"
    try:
        answer = ask(admin, path, budget, most=_SHORT if path == _INFO else None)
    except UnreachableError as error:
        if expected:
            return problem("DM201", f"{admin}: {error}")
        return problem("DM235", f"nothing listens at {admin}, where a sidecar would be looked for: {error}")
    except StrangeError as error:
        return _stranger(admin, str(error), expected)
    except TimeoutError as error:
        return problem("DM237", f"{where}: {error}")
    except OSError as error:
        return problem("DM237", f"{where}: {error.strerror or error}")
    except LargeError as error:
        return problem("DM237", f"{where}: {error}")
    return _add(snapshot, answer, where, admin, expected)


def _add(snapshot: Snapshot, answer: Answer, where: str, admin: str, expected: bool) -> Finding | None:
    if answer.status != 200:
        # An admin endpoint's allow_paths answers 403; any listener of an Envoy may answer something else.
        if snapshot.state or (answer.server == "envoy" and answer.status == 403):
            return problem("DM238", f"{where}: HTTP status {answer.status}")
        return _stranger(admin, f"HTTP status {answer.status} for {where.removeprefix(admin)}", expected)
    if answer.encoding:
        return problem("DM237", f"{where}: it is compressed ({answer.encoding}), which was not asked for")
    try:
        with without_collection():
            document = parsed(answer.body)
            if document == {} and snapshot.state:
                snapshot.kinds.add("hosts")  # protobuf's JSON leaves out empty lists: there are no clusters
            else:
                snapshot.add(document)
    except ValueError as error:
        if snapshot.state:
            return problem("DM237", f"{where}: {error}")
        return _stranger(admin, str(error), expected)
    return None


def _stranger(admin: str, why: str, expected: bool) -> Finding:
    return problem("DM202" if expected else "DM236", f"{admin}: {why}")


def _read_statistics(snapshot: Snapshot, admin: str, budget: Budget) -> None:
    """Adds what the sidecar has refused, and whether it is connected to the control plane.

    Control planes end connections now and then, and it takes Envoy up to half a second to connect anew: it is
    asked again before that is taken for a loss. What it does not tell is not missed.
    """
    try:
        part = budget.part(_FOR_STATISTICS)
        for pause in (0.0, *_PAUSES):
            time.sleep(min(pause, part.left()))
            snapshot.add_lines(ask(admin, _STATISTICS, part, most=_SHORT).body.decode())
            if snapshot.connected is not False:
                break
    except (OSError, ValueError):
        pass
