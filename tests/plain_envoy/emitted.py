"""What the plugin emits for cafe.proto, and Envoys that run on these files."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import localmesh
from tests.generator import compiling

HERE = Path(__file__).parent
PROTO = "cafe.proto"
_BLOCK = 20
_CONFIG = """\
[apps.cafe]
instances = 2

[envoy]
base_port = {base_port}
ipv6 = {ipv6}
compose_network = "{network}"
"""
_CALLS = """
[apps.delivery]
calls = ["cafe"]
"""


class Emitted:
    """The files of one run, with ports that are reserved for them.

    Args:
        directory: Where to write them.
        calls: Whether the app `delivery` is said to call the app `cafe`; otherwise there is a consumer.
        ipv6: Whether everything is on ::1.
        network: What network Envoys have in Docker Compose.
        parameters: More parameters of the plugin.
    """

    def __init__(
        self,
        directory: Path,
        *parameters: str,
        calls: bool = False,
        ipv6: bool = False,
        network: str = "shared",
    ) -> None:
        self.directory = directory
        instances = 4  # the consumer, two of the cafe, one of the delivery
        self._ports = localmesh.ReservedPorts(instances * _BLOCK, "::1" if ipv6 else "127.0.0.1")
        config = directory / "mesh.toml"
        text = _CONFIG.format(base_port=self._ports.numbers[0], ipv6=str(ipv6).lower(), network=network)
        config.write_text(text + (_CALLS if calls else ""))
        parameter = ",".join(("emit=python+envoy", f"config={config}", *parameters))
        generated = compiling.generate(compiling.descriptors(HERE, [PROTO], directory), [PROTO], parameter)
        assert not generated.error, generated.error
        for name, content in generated.files.items():
            file = directory / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)

    def close(self) -> None:
        """Gives the ports back."""
        self._ports.close()

    def file(self, name: str) -> Path:
        """The configuration of an Envoy: beside `cafe-1`, or `compose/cafe` in Docker Compose."""
        return self.directory / "envoy" / (f"{name}.yaml" if "/" in name else f"laptop/{name}.yaml")

    def variables(self, name: str) -> dict[str, str]:
        """The environment of an instance."""
        lines = self.file(name).with_suffix(".env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if not line.startswith("#"))

    @contextmanager
    def envoy(self, name: str, *edits: tuple[str, str], times: int = -1) -> Generator[localmesh.Envoy]:
        """Runs the Envoy beside an instance.

        Args:
            name: The instance.
            edits: Texts in its configuration, and what stands there instead.
            times: How often an edit is made, from the top; -1 for everywhere.
        """
        file = self.file(name)
        if edits:
            text = file.read_text()
            for old, new in edits:
                assert old in text
                text = text.replace(old, new, times)
            file = self.directory / f"edited-{name.replace('/', '-')}.yaml"
            file.write_text(text)
        with localmesh.Envoy(name.replace("/", "-"), file) as envoy:
            yield envoy
