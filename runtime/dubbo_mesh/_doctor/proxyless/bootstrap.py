"""grpc's xDS bootstrap (gRFC A27): where the control plane is, and as whom it is asked."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from ..envoy.values import Json, at, has, mapping, objects, text, texts
from ..finding import Finding, problem

_LARGEST = 2**20  # bytes
_KNOWN_CREDENTIALS = ("insecure", "tls", "google_default")
"""The types of `channel_creds` that grpc's core has in its registry of credentials."""


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """What can be told of a well-formed bootstrap.

    Attributes:
        source: the variable, or the file that it names.
        server: the control plane's address, in grpc's syntax.
        credentials: the first type of `channel_creds` that grpc knows.
        credentials_config: what configures them: files, for `tls`.
        node: as what the control plane is asked.
        features: `server_features`.
        listener_template: of the name of the listener that is asked for, for targets without an authority.
    """

    source: str
    server: str
    credentials: str
    credentials_config: Json
    node: Json
    features: tuple[str, ...] = ()
    listener_template: str = "%s"

    @property
    def summary(self) -> str:
        """What matters of it, in one line."""
        node = text(self.node, "id") or "without an id"
        features = f", {', '.join(self.features)}" if self.features else ""
        return f"{self.source}: control plane {self.server} ({self.credentials}{features}), node {node}"

    def listener(self, authority: str) -> str:
        """The name of the listener that grpc asks for."""
        return self.listener_template.replace("%s", authority)


def read_bootstrap() -> Bootstrap | Finding:
    """Reads the bootstrap as grpc does; returns the problem if it is malformed."""
    file = os.environ.get("GRPC_XDS_BOOTSTRAP")
    if file is not None:  # which wins, even if it is empty
        source = f"GRPC_XDS_BOOTSTRAP={file}"
        try:
            if Path(file).exists() and not Path(file).is_file():  # reading a pipe would wait for a writer
                return problem("DM130", f"{source}: it is no file")
            with Path(file).open("rb") as opened:
                content = opened.read(_LARGEST)
        except (OSError, ValueError) as error:
            return problem("DM130", f"{source}: {getattr(error, 'strerror', None) or error}")
    else:
        source = "GRPC_XDS_BOOTSTRAP_CONFIG"
        content = os.environ.get(source, "").encode("utf-8", "surrogateescape")
    try:
        document = json.loads(content)
    except RecursionError:
        return problem("DM131", f"{source}: nested too deeply")
    except ValueError as error:
        return problem("DM131", f"{source} is not JSON: {error}")
    wrong = _wrong_with(document)
    if wrong:
        return problem("DM131", f"{source}: {wrong}")
    server = next(objects(document, "xds_servers"))
    credentials = next(
        each for each in objects(server, "channel_creds") if text(each, "type") in _KNOWN_CREDENTIALS
    )
    return Bootstrap(
        source,
        text(server, "server_uri"),
        text(credentials, "type"),
        mapping(credentials, "config"),
        mapping(document, "node"),
        tuple(texts(server, "server_features")),
        text(document, "client_default_listener_resource_name_template") or "%s",
    )


def _wrong_with(document: object) -> str | None:
    """What grpc would refuse it for; None if that is nothing."""
    if not has(document):
        return "it must be a JSON object"
    servers = list(objects(document, "xds_servers"))
    if not servers:
        return "xds_servers must be a list of at least one server"
    if not text(servers[0], "server_uri"):
        return "xds_servers[0].server_uri is not set"
    types = [text(each, "type") for each in objects(servers[0], "channel_creds")]
    if not types:
        return "xds_servers[0].channel_creds must be a list of at least one type"
    if not set(types) & set(_KNOWN_CREDENTIALS):
        known = ", ".join(_KNOWN_CREDENTIALS)
        return f"xds_servers[0].channel_creds has no type that grpc knows ({known}), but {', '.join(types)}"
    if at(document, "node") is not None and not has(document, "node"):
        return "node must be a JSON object"
    return None
