"""The bootstraps that are emitted for plain Envoys: Envoy accepts them, and shells their environments."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from localmesh import envoy_binary
from protoc_gen_dubbo_mesh.envoy import environment
from tests.generator.goldens import GOLDEN

BOOTSTRAPS = sorted(GOLDEN.glob("*/expected/envoy/*/*.yaml"))
ENVIRONMENTS = sorted(GOLDEN.glob("*/expected/envoy/*/*.env"))


def validate(configuration: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(envoy_binary()), "--mode", "validate", "--log-level", "warning", "-c", str(configuration)],
        capture_output=True,
        text=True,
        check=False,
    )


class TestBootstraps:
    @pytest.mark.parametrize("configuration", BOOTSTRAPS, ids=lambda path: str(path.relative_to(GOLDEN)))
    def test_envoy_accepts_them_without_a_warning(self, configuration: Path) -> None:
        done = validate(configuration)
        assert done.stderr == ""
        assert done.returncode == 0

    @pytest.mark.parametrize(
        ("right", "wrong"),
        [
            ("no_traffic_interval: 1s", "no_traffic_interval: 1"),
            ("drain_type: MODIFY_ONLY", "drain_type: MODIFY"),
            ("healthy_panic_threshold:", "panic_threshold:"),
            (":50052", ":50051"),  # a domain in two virtual hosts
        ],
        ids=["type", "enum", "field", "domains"],
    )
    def test_envoy_refuses_wrong_ones(self, right: str, wrong: str, tmp_path: Path) -> None:
        text = (GOLDEN / "envoy_headers/expected/envoy/laptop/website-1.yaml").read_text(encoding="utf-8")
        assert right in text
        (tmp_path / "wrong.yaml").write_text(text.replace(right, wrong), encoding="utf-8")
        assert validate(tmp_path / "wrong.yaml").returncode != 0


class TestEnvironments:
    @pytest.mark.parametrize("file", ENVIRONMENTS, ids=lambda path: str(path.relative_to(GOLDEN)))
    def test_a_shell_exports_what_docker_reads(self, file: Path) -> None:
        as_docker_reads_it = dict(
            line.split("=", 1) for line in file.read_text(encoding="utf-8").splitlines() if line[0] != "#"
        )
        script = f"set -eua; . '{file}'; /usr/bin/env -0"
        shell = subprocess.run(["/bin/sh", "-c", script], env={}, capture_output=True, text=True, check=True)
        exported = dict(pair.split("=", 1) for pair in shell.stdout.split("\0") if pair)
        assert as_docker_reads_it.items() <= exported.items()
        assert {"DUBBO_MESH_ADMIN", "POD_NAMESPACE"} <= as_docker_reads_it.keys()

    def test_a_name_in_a_comment_cannot_become_a_command(self) -> None:
        text = environment.render(["from a\ntouch /b\r.proto"], [])
        assert text == "# from a\\ntouch /b\\r.proto\n"

    @pytest.mark.parametrize("value", ["a b", "$(id)", "`id`", "a;b", "a\nb", "'", '"', "~", "a#b", "a=b\\"])
    def test_a_value_with_a_meaning_to_shells_is_refused(self, value: str) -> None:
        with pytest.raises(ValueError, match="DUBBO_MESH_APP cannot be written for shells"):
            environment.render([], [("DUBBO_MESH_APP", value)])
