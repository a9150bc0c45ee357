"""The goldens that have manifests."""

from __future__ import annotations

from pathlib import Path

GOLDEN = Path(__file__).parents[2] / "golden"
KUBERNETES = "kubernetes"
MESHES = ("istio", "gateway")


def cases() -> list[Path]:
    """What is expected of each, a directory."""
    return sorted(expected for expected in GOLDEN.glob("*/expected") if directories(expected))


def directories(expected: Path) -> list[Path]:
    """The directories of manifests."""
    return [path for name in (KUBERNETES, *MESHES) if (path := expected / name).is_dir()]


def name(expected: Path) -> str:
    """For a test's id."""
    return expected.parent.name
