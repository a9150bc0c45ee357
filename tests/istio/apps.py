"""The pods' apps: servicers that record what reaches them, and do what they are told."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import grpc
from google.protobuf.wrappers_pb2 import StringValue


class Call(NamedTuple):
    """A request that reached a pod."""

    pod: str
    rpc: str
    metadata: Mapping[str, str | bytes]
    remaining: float
    """Seconds until its deadline."""


class Record:
    """What the apps were asked, and what they are to do."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.failures = 0
        """How many more calls are to fail with UNAVAILABLE, before anything is sent."""
        self.release = threading.Event()
        """What held calls wait for. It is set, for all, as soon as the caller of one is gone."""

    def take(self, pod: str, rpc: str, context: grpc.ServicerContext) -> None:
        """Records a call, and fails it if it is to fail."""
        metadata = dict(context.invocation_metadata())
        self.calls.append(Call(pod, rpc, metadata, context.time_remaining()))
        if self.failures:
            self.failures -= 1
            context.abort(grpc.StatusCode.UNAVAILABLE, "told to fail")

    def hold(self, context: grpc.ServicerContext) -> None:
        """Waits until released."""
        context.add_callback(self.release.set)
        self.release.wait()

    def pods(self) -> set[str]:
        """The names of the pods that were called."""
        return {call.pod for call in self.calls}


def servicers(module: Any, pod: str, record: Record) -> list[Any]:
    """The servicers of a pod.

    Args:
        module: The generated module.
        pod: The pod's name.
        record: Where to record.
    """

    def answer(rpc: str) -> Any:
        def handler(self: Any, request: StringValue, context: grpc.ServicerContext) -> StringValue:
            record.take(pod, rpc, context)
            if request.value == "hold":
                record.hold(context)
            return StringValue(value=pod)

        return handler

    def watch(self: Any, request: StringValue, context: grpc.ServicerContext) -> Iterator[StringValue]:
        record.take(pod, "watch", context)
        yield StringValue(value="first")
        record.hold(context)
        yield StringValue(value="last")

    greeter = {name: answer(name) for name in ("hello", "look", "slow")} | {"watch": watch}
    return [
        type("Greeter", (module.GreeterServicer,), greeter)(),
        type("Canary", (module.CanaryServicer,), {"hello": answer("hello")})(),
    ]
