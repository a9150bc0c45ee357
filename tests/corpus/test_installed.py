"""A part of `make corpus` that needs no network: Envoy's protos and Google's common ones, as installed."""

from __future__ import annotations

from importlib.metadata import files
from pathlib import Path

import pytest

from tests.corpus.generate import compile_modules
from tests.corpus.verify import faults, make_site, shared_failures, unformatted, verify


def test_modules_of_installed_protos_work(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    packaged = [*(files("xds-protos") or ()), *(files("googleapis-common-protos") or ())]
    modules = [Path(str(path.locate())) for path in packaged if path.name.endswith("_pb2.py")]

    compiled = compile_modules(modules, tmp_path)
    outcomes = verify(compiled, make_site(tmp_path_factory.mktemp("site")))

    assert len(outcomes) > 60
    assert compiled.error == ""
    assert compiled.unstable == ()
    assert dict(faults(outcomes, "mesh")) == {}
    assert dict(shared_failures(outcomes)) == {}
    assert unformatted(compiled.directory, tmp_path) == []
