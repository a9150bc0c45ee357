"""The configuration with which istiod adds sidecars to pods: that of Istio's own chart, with its defaults."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import yaml

from tests.istio.binaries import HERE

_CHART = Path("manifests/charts/istio-control/istio-discovery")


def configure(home: Path) -> None:
    """Writes it where istiod looks for it.

    Args:
        home: The directory that istiod runs in.
    """
    command = ["go", "list", "-m", "-f", "{{.Dir}}", "istio.io/istio"]
    module = subprocess.run(command, cwd=HERE, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    chart = Path(module) / _CHART
    # Helm merges what users set into this.
    values = yaml.safe_load((chart / "values.yaml").read_text())["_internal_defaults_do_not_set"]
    template = (chart / "files" / "injection-template.yaml").read_text()
    config = {"policy": "enabled", "defaultTemplates": ["sidecar"], "templates": {"sidecar": template}}
    directory = home / "var" / "lib" / "istio" / "inject"
    directory.mkdir(parents=True)
    (directory / "config").write_text(json.dumps(config))
    (directory / "values").write_text(json.dumps(values))
