"""Istio refuses exactly what the plugin refuses to write. Run by `make istio`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from dubbo_mesh._contract.header_checks import RETRY_GRPC_ON, RETRY_ON
from protoc_gen_dubbo_mesh.errors import GenerationError
from protoc_gen_dubbo_mesh.policy.model import CallPolicy, Retry
from tests.istio import cluster, judges
from tests.manifests.istio import emit
from tests.manifests.services import rpc, service

RETRIES = [
    *(Retry(status_codes=(code,)) for code in range(100, 600)),
    *(Retry(on=(condition,)) for condition in RETRY_ON),
    *(Retry(grpc_on=(condition,)) for condition in RETRY_GRPC_ON),
    Retry(on=RETRY_ON[:-2], grpc_on=RETRY_GRPC_ON, status_codes=(429, 503), attempts=2**31),
]
SECONDS = [0.001, 0.0011, 0.0005, 0.1, 1.5, 59.999, 3600.0, 3661.007, 1e9]
TIMEOUTS = [
    *(CallPolicy(timeout=seconds) for seconds in SECONDS),
    *(CallPolicy(per_try_timeout=seconds, retry=Retry(on=("reset",))) for seconds in SECONDS),
    *(CallPolicy(per_try_timeout=seconds) for seconds in SECONDS),
]
POLICIES = [*(CallPolicy(retry=retry) for retry in RETRIES), *TIMEOUTS]


def test_istio_accepts_what_is_written(tmp_path: Path) -> None:
    written = [number for number in range(len(POLICIES)) if _write(tmp_path, number)]
    assert len(written) > len(POLICIES) / 10
    assert judges.validate(tmp_path) == []


def test_istio_refuses_the_conditions_that_are_not_written(tmp_path: Path) -> None:
    refused = [retry for retry in RETRIES if _is_refused(CallPolicy(retry=retry))]
    codes = [str(code) for retry in refused for code in retry.status_codes or ()]
    assert len(codes) > 400
    assert _refused_by_istio(
        tmp_path, [{"retries": {"attempts": 1, "retryOn": code}} for code in codes]
    ) == len(codes)


@pytest.mark.parametrize("timeout", ["0.5ms", "1.1ms", "0s"])
def test_istio_refuses_the_timeouts_that_are_not_written(tmp_path: Path, timeout: str) -> None:
    assert _refused_by_istio(tmp_path, [{"timeout": timeout}]) == 1
    assert _refused_by_istio(tmp_path, [{"retries": {"attempts": 1, "perTryTimeout": timeout}}]) == 1


def _write(directory: Path, number: int) -> bool:
    """Writes the VirtualService for a policy, if the plugin does."""
    try:
        files = emit([service("a.B", [rpc("r", POLICIES[number])], app=f"app-{number}")], "routes")
    except GenerationError:
        return False
    for path, text in files.items():
        (directory / Path(path).name).write_text(text)
    return True


def _is_refused(call: CallPolicy) -> bool:
    try:
        emit([service("a.B", [rpc("r", call)])], "routes")
    except GenerationError:
        return True
    return False


def _refused_by_istio(directory: Path, entries: Sequence[cluster.Manifest]) -> int:
    """How many VirtualServices Istio refuses that have these entries."""
    file = directory / "refused.yaml"
    cluster.write(
        file,
        [
            {
                "apiVersion": "networking.istio.io/v1",
                "kind": "VirtualService",
                "metadata": {"name": f"app-{number}"},
                "spec": {"hosts": ["app"], "http": [{"route": [{"destination": {"host": "app"}}], **entry}]},
            }
            for number, entry in enumerate(entries)
        ],
    )
    return len({finding.resource for finding in judges.validate(file)})
