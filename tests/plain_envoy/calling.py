"""Calls of the café by plain gRPC stubs, which send no headers for Envoy unless a test does."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager

import grpc
from google.protobuf.wrappers_pb2 import StringValue

HOST = "cafe.default.svc.cluster.local"


class Caller:
    """Calls through an Envoy's listener for outbound calls.

    Args:
        channel: A channel to it.
    """

    def __init__(self, channel: grpc.Channel) -> None:
        self._channel = channel

    def call(self, path: str, *metadata: tuple[str, str], timeout: float = 10.0) -> str:
        """Makes a unary call, and returns the answer's text.

        Raises:
            grpc.RpcError: It failed.
        """
        method: grpc.UnaryUnaryMultiCallable[StringValue, StringValue] = self._channel.unary_unary(
            path, StringValue.SerializeToString, StringValue.FromString
        )
        return method(StringValue(), timeout=timeout, metadata=metadata).value

    def stream(self, path: str, timeout: float = 10.0) -> Iterator[str]:
        """Makes a call whose answer is a stream.

        Raises:
            grpc.RpcError: It failed.
        """
        method: grpc.UnaryStreamMultiCallable[StringValue, StringValue] = self._channel.unary_stream(
            path, StringValue.SerializeToString, StringValue.FromString
        )
        return (answer.value for answer in method(StringValue(), timeout=timeout))


@contextmanager
def caller(address: str, authority: str = f"{HOST}:50051") -> Generator[Caller]:
    """Someone who calls an authority through an Envoy.

    Args:
        address: The Envoy's, for outbound calls.
        authority: Whom to call.
    """
    options = [("grpc.default_authority", authority), ("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(address, options=options) as channel:
        yield Caller(channel)
