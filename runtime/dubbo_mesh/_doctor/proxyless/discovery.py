"""Asks a control plane for one resource, as grpc's client does, to tell why that waits for it.

grpc's client tells only after 15 s that a resource does not exist, and never that nobody answers.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import grpc
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct

from ..envoy.values import Json, mapping, text
from .bootstrap import Bootstrap
from .client_status import TYPES, Kind
from .wire import bytes_of, field, messages, parse

_METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a control plane says of a resource.

    Attributes:
        outcome: it has it; it answers, and has it not; the stream failed; nothing was heard in time.
        code: the status of the stream that failed.
        details: what that says.
    """

    outcome: Literal["has it", "has it not", "failed", "silent"]
    code: grpc.StatusCode | None = None
    details: str = ""


def ask(bootstrap: Bootstrap, kind: Kind, name: str, timeout: float) -> Answer | None:
    """Asks for a resource on a stream of its own.

    Args:
        bootstrap: where the control plane is.
        kind: of the resource.
        name: its name.
        timeout: seconds.

    Returns:
        The answer; None if the credentials are of a type that only grpc's client can use.
    """
    request = field(2, _node(bootstrap.node)) + field(3, name) + field(4, TYPES[kind])
    done = threading.Event()

    def requests() -> Iterator[bytes]:
        yield request
        done.wait(timeout)  # or the control plane would take it that nobody listens

    channel = _channel(bootstrap)
    if channel is None:
        return None
    with channel:
        stream = channel.stream_stream(_METHOD, bytes, bytes)(requests(), timeout=timeout)
        try:
            for response in stream:
                return Answer("has it" if name in _names(response) else "has it not")
            return Answer("failed", grpc.StatusCode.OK, "the stream has ended")
        except grpc.RpcError as error:
            code, details = error.code(), error.details() or ""
            silent = code is grpc.StatusCode.DEADLINE_EXCEEDED
            return Answer("silent") if silent else Answer("failed", code, details)
        except ValueError as error:
            return Answer("failed", None, f"its answer is malformed: {error}")
        finally:
            done.set()
            stream.cancel()


def _channel(bootstrap: Bootstrap) -> grpc.Channel | None:
    options = [("grpc.use_local_subchannel_pool", 1)]
    if bootstrap.credentials == "insecure":
        return grpc.insecure_channel(bootstrap.server, options)
    if bootstrap.credentials != "tls":
        return None
    try:
        roots, key, chain = (
            Path(file).read_bytes() if (file := text(bootstrap.credentials_config, name)) else None
            for name in ("ca_certificate_file", "private_key_file", "certificate_file")
        )
    except OSError:
        return None
    return grpc.secure_channel(bootstrap.server, grpc.ssl_channel_credentials(roots, key, chain), options)


def _node(node: Json) -> bytes:
    """A serialized `Node`: what control planes go by."""
    metadata = Struct()
    try:
        json_format.ParseDict(dict(mapping(node, "metadata")), metadata)
    except json_format.ParseError:
        metadata.Clear()
    locality = mapping(node, "locality")
    where = b"".join(
        field(number, text(locality, name)) for number, name in ((1, "region"), (2, "zone"), (3, "sub_zone"))
    )
    return (
        field(1, text(node, "id"))
        + field(2, text(node, "cluster"))
        + field(3, metadata.SerializeToString())
        + field(4, where)
        + field(6, f"grpc-python {grpc.__version__}")
    )


def _names(response: bytes) -> set[str]:
    """The names of the resources in a `DiscoveryResponse`: field 1 of each of the four types.

    Raises:
        ValueError: it is malformed.
    """
    resources = messages(parse(response), 2)
    return {bytes_of(parse(bytes_of(each, 2)), 1).decode("utf-8", "replace") for each in resources}
