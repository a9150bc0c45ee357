"""An Envoy's access log: one JSON object per request."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from localmesh.waiting import wait_until

# Envoy's command operators by the names that our log gives them.
FIELDS: Mapping[str, str] = {
    "start": "%START_TIME(%s.%6f)%",
    "authority": "%REQ(:AUTHORITY)%",
    "path": "%REQ(:PATH)%",
    "route": "%ROUTE_NAME%",
    "upstream_cluster": "%UPSTREAM_CLUSTER%",
    "upstream_host": "%UPSTREAM_HOST%",
    "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    "status": "%RESPONSE_CODE%",
    "grpc_status": "%GRPC_STATUS(SNAKE_STRING)%",
    "flags": "%RESPONSE_FLAGS%",
    "duration_ms": "%DURATION%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "traceparent": "%REQ(TRACEPARENT)%",
    "forwarded_for": "%REQ(X-FORWARDED-FOR)%",
    "downstream_connection": "%CONNECTION_ID%",
}


class AccessLog:
    """Reads the access log that a listener writes.

    An entry is a dict with the keys of `FIELDS` and those asked for with `access_log_fields`; None
    stands for what a request does not have, and `start` is in seconds since the epoch. Envoy writes
    an entry when the request is over, some 50 ms later at most.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def entries(self) -> list[dict[str, Any]]:
        """The requests logged so far."""
        if not self.path.exists():
            return []
        # The last line may be half written.
        lines = self.path.read_text().split("\n")[:-1]
        return [_entry(line) for line in lines]

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


def _entry(line: str) -> dict[str, Any]:
    entry = json.loads(line)
    return {**entry, "start": float(entry["start"])}
