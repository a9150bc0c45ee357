"""Envoy's own configuration files, by `envoy --mode validate`."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from localmesh.envoy import envoy_binary

_KEYS = {"admin", "node", "static_resources", "dynamic_resources"}


def is_bootstrap(document: dict[str, Any]) -> bool:
    """Whether a document is a bootstrap configuration of Envoy."""
    return "kind" not in document and not _KEYS.isdisjoint(document)


def problems(document: dict[str, Any]) -> list[str]:
    """What Envoy says against a bootstrap configuration, warnings included, in a line."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "envoy.json"
        file.write_text(json.dumps(document), encoding="utf-8")
        command = [str(envoy_binary()), "--mode", "validate", "--log-level", "warning", "-c", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    said = " ".join(done.stderr.replace(str(file), "the file").split())
    return [said or f"Envoy ends with {done.returncode}"] if said or done.returncode else []
