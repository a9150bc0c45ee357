"""The demo's load: calls that show whether one is lost."""

import re
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import grpc

import dubbo_mesh
import localmesh
from demo_mesh import Greetings


@dataclass
class Load:
    """Calls of the greeter, one after the other on each of four threads, that nothing retries."""

    greetings: Greetings
    answered: Counter[str] = field(default_factory=Counter[str])
    lost: Counter[str] = field(default_factory=Counter[str])
    _over: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list[threading.Thread])

    def __enter__(self) -> "Load":
        return self

    def start(self) -> None:
        """Starts the threads, to be stopped by the end of the `with` block."""
        for kind in (self._unary, self._stream) * 2:
            thread = threading.Thread(target=self._repeat, args=(kind,), daemon=True)
            thread.start()
            self._threads.append(thread)

    def __exit__(self, *exc_info: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _repeat(self, call: Callable[[], str]) -> None:
        while not self._over.wait(0.002):
            try:
                self.answered[call()] += 1
            except grpc.RpcError as error:
                self.lost[describe(error)] += 1

    def _unary(self) -> str:
        once = dubbo_mesh.EnvoyHeaders(max_retries=0)  # a retry could hide a loss
        return instance(self.greetings.greeter.sayHello(self.greetings.request("Ada"), envoy=once))

    def _stream(self) -> str:
        return instance(list(self.greetings.greeter.keepSayingHello(self.greetings.request("Ada")))[-1])

    def wait_answered(self, instance: str, count: int) -> None:
        """Waits until an instance, or with "" any, has answered so often."""
        localmesh.wait_until(
            lambda: sum(n for name, n in self.answered.items() if name.startswith(instance)) >= count,
            what=f"{count} answers of {instance or 'anybody'} ({self.lost.total()} calls lost)",
        )


def instance(reply: Any) -> str:
    """Who answered: `greeter-1 (4711)`."""
    found = re.search(r"\S+ \(\d+\)$", reply.message)
    return found.group() if found else reply.message


def describe(error: grpc.RpcError) -> str:
    """Code and details of a failed call."""
    return f"{error.code().name}: {error.details()}"
