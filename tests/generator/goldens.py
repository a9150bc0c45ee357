"""The cases in golden/: protos, parameters, and what the generator must write for them.

golden/<case>/**/*.proto     what is generated from, all at once
golden/<case>/options.txt    the parameters; files they name are in the case's directory
golden/<case>/expected/      the files written: modules, and YAML if the parameter `emit` says so
golden/<case>/error.txt      or the error
golden/<case>/warnings.txt   what is said on standard error
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import chdir
from functools import cached_property
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet, ServiceDescriptorProto

from tests.generator.compiling import Generated, descriptors, generate

GOLDEN = Path(__file__).parents[2] / "golden"


class Case:
    """One directory of golden/."""

    def __init__(self, directory: Path) -> None:
        self.name = directory.name
        self.directory = directory
        self.protos = sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*.proto"))
        options = directory / "options.txt"
        self.parameter = options.read_text(encoding="utf-8").strip() if options.exists() else ""

    @property
    def is_error(self) -> bool:
        return self.name.startswith("error_")

    @property
    def has_modules(self) -> bool:
        """Whether Python is among what is written: it is by default."""
        kinds = re.search(r"(?:^|,)emit=([^,]*)", self.parameter)
        return kinds is None or "python" in kinds[1].split("+")

    @cached_property
    def descriptors(self) -> FileDescriptorSet:
        import tempfile

        with tempfile.TemporaryDirectory() as scratch:
            return descriptors(self.directory, self.protos, Path(scratch))

    def services(self) -> Iterator[ServiceDescriptorProto]:
        """The services that are generated from."""
        for file in self.descriptors.file:
            if file.name in self.protos:
                yield from file.service

    def generate(
        self, protos: Sequence[str] | None = None, files: FileDescriptorSet | None = None
    ) -> Generated:
        """Runs the generator, as protoc would from the case's directory.

        Args:
            protos: what to generate from; default: all protos of the case.
            files: the compiled protos, in the order of the request; default: `descriptors`.
        """
        with chdir(self.directory):
            return generate(files or self.descriptors, protos or self.protos, self.parameter)

    def actual(self) -> dict[str, str]:
        """The files that the generator writes now, by path."""
        got = self.generate()
        texts = {f"expected/{name}": content for name, content in got.files.items()}
        if got.error:
            texts["error.txt"] = f"{got.error}\n"
        if got.warnings:
            texts["warnings.txt"] = "".join(f"{warning}\n" for warning in got.warnings)
        return texts

    def expected(self) -> dict[str, str]:
        """The files that the case contains, by path."""
        found = [path for path in self.directory.glob("expected/**/*") if path.is_file()]
        found += [self.directory / name for name in ("error.txt", "warnings.txt")]
        return {
            path.relative_to(self.directory).as_posix(): path.read_text(encoding="utf-8")
            for path in found
            if path.exists()
        }

    def update(self) -> None:
        """Replaces the expected files by what the generator writes now."""
        actual = self.actual()
        for name in self.expected().keys() - actual.keys():
            (self.directory / name).unlink()
        for name, text in actual.items():
            path = self.directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


CASES = [Case(path) for path in sorted(GOLDEN.iterdir()) if path.is_dir()]
GENERATED = [case for case in CASES if not case.is_error]
WITH_MODULES = [case for case in GENERATED if case.has_modules]
