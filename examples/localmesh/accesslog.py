"""An Envoy's access log of JSON lines: one object per request."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from localmesh.waiting import wait_until


class AccessLog:
    """Reads a file to which nothing is written but access logs with a `json_format`.

    An entry is a dict with the keys of that format. None stands for what a request does not have, and
    Envoy gives times as text. It writes an entry when the request is over, some 50 ms later at most.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def entries(self) -> list[dict[str, Any]]:
        """The requests logged so far, of all listeners that log to this file."""
        if not self.path.exists():
            return []
        # The last line may be half written.
        lines = self.path.read_text().split("\n")[:-1]
        return [cast("dict[str, Any]", json.loads(line)) for line in lines]

    def wait_for(
        self,
        count: int,
        matching: Callable[[dict[str, Any]], bool] = lambda _: True,
        *,
        timeout: float = 5.0,
    ) -> list[dict[str, Any]]:
        """The entries for which `matching` is true, as soon as there are `count` or more.

        Raises:
            TimeoutError: There were fewer after `timeout` seconds.
        """

        def found() -> list[dict[str, Any]]:
            entries = [entry for entry in self.entries() if matching(entry)]
            return entries if len(entries) >= count else []

        return wait_until(found, what=f"{self.path} has {count} such entries", timeout=timeout, interval=0.05)
