"""What is emitted for plain Envoys: Envoy finds mistakes in bootstraps, and shells read the environments."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from protoc_gen_dubbo_mesh.envoy import environment
from protoc_gen_dubbo_mesh.envoy.emitter import EnvoyEmitter
from protoc_gen_dubbo_mesh.mesh.grouping import Grouping
from tests.generator.goldens import GOLDEN
from tests.manifests.checks import problems
from tests.manifests.services import service

ENVIRONMENTS = sorted(GOLDEN.glob("*/expected/envoy/*/*.env"))


class TestBootstraps:
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
    def test_envoy_refuses_wrong_ones(self, right: str, wrong: str) -> None:
        text = (GOLDEN / "envoy_headers/expected/envoy/laptop/website-1.yaml").read_text(encoding="utf-8")
        assert right in text
        assert problems(text) == []
        assert problems(text.replace(right, wrong))

    def test_a_port_of_many_services_names_a_few(self) -> None:
        many = Grouping(None, "routes").group(service(f"a.S{number}") for number in range(1000))
        files = EnvoyEmitter().emit(many)
        assert ", port 80 (default): a.S0, a.S1, a.S10, a.S100, a.S101 and 995 more\n" in files[0].content
        assert max(len(line) for file in files for line in file.content.splitlines()) < 200


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
