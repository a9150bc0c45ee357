"""`buf generate` gives, with both of its strategies, what protoc gives, without a word."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from protoc_gen_dubbo_mesh.project.sources import proto_path
from tests.everywhere.samples import PLUGIN, PROTOS, generate, run, written

BUF = Path(sys.executable).with_name("buf")
OPTIONS = "dubbo_mesh/v1/options.proto"


@pytest.mark.parametrize(
    "plugin", [["protoc-gen-dubbo-mesh"], [sys.executable, "-m", "protoc_gen_dubbo_mesh"]]
)
@pytest.mark.parametrize("strategy", ["directory", "all"])
def test_buf_gives_what_protoc_gives(tmp_path: Path, strategy: str, plugin: list[str]) -> None:
    expected = generate(tmp_path / "expected")
    project = tmp_path / "project"
    shutil.copytree(PROTOS, project / "protos")
    (project / "options" / OPTIONS).parent.mkdir(parents=True)
    shutil.copy(Path(proto_path()) / OPTIONS, project / "options" / OPTIONS)
    # buf's configuration is YAML, of which JSON is a part.
    (project / "buf.yaml").write_text(
        json.dumps({"version": "v2", "modules": [{"path": "protos"}, {"path": "options"}]})
    )
    (project / "buf.gen.yaml").write_text(
        json.dumps(
            {
                "version": "v2",
                "plugins": [{"local": plugin, "out": "gen", "strategy": strategy}],
                "inputs": [{"directory": "protos"}],
            }
        )
    )

    path = f"{PLUGIN.parent}:/usr/bin:/bin"
    done = run(BUF, "generate", cwd=project, env={"PATH": path, "HOME": str(tmp_path)})

    assert done.stdout == done.stderr == ""
    assert written(project / "gen") == expected
