"""Where a wheel gets `py.typed`."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from protoc_gen_dubbo_mesh.project.placing import Placed
from protoc_gen_dubbo_mesh.project.typed import unmarked

ONE = {"shop/v1/a_pb2.py", "shop/v1/a_pb2.pyi", "shop/v1/a_mesh.py"}
INNER = {"shop/v1/inner/b_pb2.py", "shop/v1/inner/b_pb2.pyi"}


@pytest.mark.parametrize(
    ("generated", "others", "markers"),
    [
        pytest.param(ONE, {}, ["shop/v1"], id="all generated"),
        pytest.param(ONE | INNER, {}, ["shop/v1"], id="nested"),
        pytest.param(ONE, {"shop/__init__.py": "", "shop/app.py": "x = 1"}, ["shop/v1"], id="in a package"),
        pytest.param(ONE, {"shop/v1/app.py": "x = 1"}, [], id="beside own code"),
        pytest.param(ONE | INNER, {"shop/v1/app.py": ""}, ["shop/v1/inner"], id="below own code"),
        pytest.param(ONE, {"shop/v1/deep/app.py": "x = 1"}, [], id="above own code"),
        pytest.param(ONE, {"shop/v1/__init__.py": "# ours\n\n"}, ["shop/v1"], id="empty __init__"),
        pytest.param(ONE, {"shop/v1/__init__.py": "x = 1"}, [], id="__init__"),
        pytest.param(ONE, {"shop/v1/data.json": "{}"}, ["shop/v1"], id="data"),
        pytest.param(ONE, {"shop/py.typed": ""}, [], id="marked above"),
        pytest.param(ONE, {"shop/v1/py.typed": ""}, [], id="marked"),
        pytest.param(ONE, {"shop/v1/a_pb2.py": "x = 1"}, ["shop/v1"], id="selected by the build"),
        pytest.param(ONE - {"shop/v1/a_pb2.pyi"}, {}, [], id="no types"),
        pytest.param({"a_pb2.py", "a_pb2.pyi"}, {}, [], id="at the top"),
    ],
)
def test_innermost_directories_of_only_generated_modules_are_marked(
    generated: set[str], others: dict[str, str], markers: list[str], tmp_path: Path
) -> None:
    files: dict[PurePosixPath, Path] = {}
    for name, text in others.items():
        files[PurePosixPath(name)] = tmp_path / name
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    placed = [Placed(tmp_path / name, PurePosixPath(name), selected=False) for name in sorted(generated)]
    assert [str(at.parent) for at in unmarked(placed, files)] == markers
