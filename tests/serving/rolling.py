"""Two providers behind their sidecars, replaced one after the other under load through a consumer's Envoy."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.wrappers_pb2 import StringValue

import localmesh
from tests import sidecars
from tests.calling.echo import EchoStub

ROOT = Path(__file__).parents[2]


class Pod:
    """A provider's process and the Envoy beside it."""

    def __init__(
        self, name: str, kind: str, directory: Path, settings: Mapping[str, Any], *, admin: str | None
    ) -> None:
        self.name = name
        self.port = localmesh.ReservedPort()
        self.sidecar = sidecars.Sidecar(name, ingress=self.port.address, directory=directory / name)
        environment = os.environ | {
            "DUBBO_MESH_ADMIN": admin or self.sidecar.admin_address,
            "DUBBO_MESH_PROBES": "off",
            "PYTHONPATH": str(ROOT),
        }
        arguments = [f"{setting}={json.dumps(value)}" for setting, value in settings.items()]
        self.app = localmesh.ChildProcess(
            [sys.executable, "-m", "tests.serving.provider_process", kind, self.port.address, *arguments],
            log=self.sidecar.directory / "app.log",
            env=environment,
            cwd=ROOT,
        )

    def close(self) -> None:
        self.app.kill()
        self.sidecar.close()
        self.port.close()

    def leave(self) -> float:
        """Ends the app as Kubernetes does; returns the seconds it took."""
        began = time.monotonic()
        self.app.stop(grace=30)
        return time.monotonic() - began


@dataclass
class Load:
    """Callers that call one after the other, and count what became of each call.

    The server-streaming and bidirectional calls last for `seconds` each.

    Attributes:
        answered: calls that ended well, by shape.
        lost: calls that did not, by shape and reason.
        lost_at: when, by `time.monotonic`.
    """

    address: str
    authority: str
    seconds: float = 0.5
    unary: int = 4
    streams: int = 2
    bidis: int = 2
    answered: Counter[str] = field(default_factory=Counter[str])
    lost: Counter[str] = field(default_factory=Counter[str])
    lost_at: list[float] = field(default_factory=list[float])
    _over: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list[threading.Thread])

    def __enter__(self) -> Load:
        options = [("grpc.default_authority", self.authority)]
        channel = grpc.insecure_channel(self.address, options)
        stub = EchoStub(channel)
        kinds: list[tuple[str, Callable[[EchoStub], None], int]] = [
            ("unary", self._unary, self.unary),
            ("server stream", self._stream, self.streams),
            ("bidi", self._bidi, self.bidis),
        ]
        for kind, call, count in kinds:
            for _ in range(count):
                self._threads.append(
                    threading.Thread(target=self._repeat, args=(kind, call, stub), daemon=True)
                )
                self._threads[-1].start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _repeat(self, kind: str, call: Callable[[EchoStub], None], stub: EchoStub) -> None:
        while not self._over.wait(0.002):
            try:
                call(stub)
                self.answered[kind] += 1
            except grpc.RpcError as error:
                self._lose(kind, f"{error.code().name} {error.details()}")
            except AssertionError as error:
                self._lose(kind, str(error))

    def _lose(self, kind: str, why: str) -> None:
        self.lost[f"{kind}: {why}"] += 1
        self.lost_at.append(time.monotonic())

    def _unary(self, stub: EchoStub) -> None:
        assert stub.unary(StringValue(value="hello"), timeout=10).value == "hello"

    def _stream(self, stub: EchoStub) -> None:
        request = StringValue(value=f"stream 10 {self.seconds / 10}")
        received = len(list(stub.serverStream(request, timeout=30)))
        assert received == 10, f"{received} of 10 messages"

    def _bidi(self, stub: EchoStub) -> None:
        def requests() -> Iterator[StringValue]:
            for number in range(10):
                yield StringValue(value=str(number))
                time.sleep(self.seconds / 10)

        received = len(list(stub.bidi(requests(), timeout=30)))
        assert received == 10, f"{received} of 10 messages"

    def report(self) -> str:
        """What became of the calls, in a line."""
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.answered.items()))
        return f"answered {self.answered.total()} ({kinds}), lost {self.lost.total()} {dict(self.lost) or ''}"

    def wait_answered(self, count: int, timeout: float = 20.0) -> None:
        """Waits until so many more calls have been answered."""
        before = self.answered.total()
        localmesh.wait_until(
            lambda: self.answered.total() >= before + count,
            what=f"{count} calls are answered",
            timeout=timeout,
        )


class Mesh:
    """Two pods and a consumer's Envoy that checks them."""

    def __init__(
        self,
        directory: Path,
        kind: str,
        *,
        settings: Mapping[str, Any],
        interval: float = 0.5,
        admin: str | None = None,
    ) -> None:
        self._stack = ExitStack()
        self.pods = [Pod(f"provider-{number}", kind, directory, settings, admin=admin) for number in (1, 2)]
        for pod in self.pods:
            self._stack.callback(pod.close)
        self.service = sidecars.MeshService(
            "echo",
            50051,
            [pod.sidecar.ingress for pod in self.pods],
            health_check=sidecars.HealthCheck(interval=interval),
            timeout=0,
        )
        self.consumer = sidecars.Sidecar("consumer", egress=[self.service], directory=directory / "consumer")
        self._stack.callback(self.consumer.close)

    def __enter__(self) -> Mesh:
        try:
            for pod in self.pods:
                pod.sidecar.start()
                pod.app.start()
            self.consumer.start()
            self.consumer.wait_healthy("echo", 2)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stack.close()

    def load(self, **callers: Any) -> Load:
        """Callers through the consumer's Envoy."""
        return Load(self.consumer.egress, self.service.authority, **callers)

    def roll(self, load: Load, restarts: int) -> list[float]:
        """Replaces one pod after the other, so many times; returns how long each app took to end."""
        took: list[float] = []
        for number in range(restarts):
            pod = self.pods[number % 2]
            load.wait_answered(20)
            took.append(pod.leave())
            pod.app.start()
            self.consumer.wait_healthy("echo", 2)
        load.wait_answered(20)
        return took
