"""What an Envoy says about itself, over its admin endpoint."""

import http.client
import json
from dataclasses import dataclass
from typing import Any, cast


@dataclass(frozen=True)
class Host:
    """One endpoint of a cluster, as Envoy sees it.

    Attributes:
        address: `ip:port`.
        flags: Why it gets no traffic: names as in Envoy's `/clusters`, such as
            `failed_active_health_check` or `excluded_via_immediate_hc_fail`. Empty when healthy.
        stats: The host's counters and gauges, such as `rq_total`, `rq_error`, `cx_active`.
    """

    address: str
    flags: frozenset[str]
    stats: dict[str, int]

    @property
    def healthy(self) -> bool:
        """Whether Envoy sends it traffic."""
        return not self.flags


class Admin:
    """A client of one Envoy's admin endpoint.

    Every method raises OSError when nothing answers at the address.

    Args:
        address: `host:port`.
    """

    def __init__(self, address: str) -> None:
        self.address = address

    def get(self, path: str) -> str:
        """The text at a path; RuntimeError when the status is not 200."""
        return self._request("GET", path)

    def post(self, path: str) -> str:
        """Posts to a path: what changes something takes nothing else; RuntimeError as in `get`."""
        return self._request("POST", path)

    def ready(self) -> bool:
        """Whether Envoy has initialised and serves; False also when nothing answers."""
        try:
            return self.status("GET", "/ready") == http.client.OK
        except (OSError, http.client.HTTPException):
            return False

    def status(self, method: str, path: str) -> int:
        """The HTTP status of a request."""
        return self._exchange(method, path)[0]

    def stats(self, prefix: str = "") -> dict[str, int]:
        """Counters and gauges whose names begin with `prefix`, unused ones included."""
        found = json.loads(self.get("/stats?format=json&type=All"))["stats"]
        return {
            each["name"]: each["value"]
            for each in found
            if isinstance(each.get("value"), int) and each["name"].startswith(prefix)
        }

    def stat(self, name: str) -> int:
        """One counter or gauge; 0 when Envoy has none of that name (yet)."""
        return self.stats(name).get(name, 0)

    def hosts(self, cluster: str) -> list[Host]:
        """The endpoints of a cluster, in configuration order; KeyError for an unknown cluster."""
        statuses = json.loads(self.get("/clusters?format=json"))["cluster_statuses"]
        for each in statuses:
            if each["name"] == cluster:
                return [_host(host) for host in each.get("host_statuses", [])]
        raise KeyError(cluster)

    def listeners(self) -> dict[str, str]:
        """The addresses of the listeners, by their names."""
        statuses = json.loads(self.get("/listeners?format=json"))["listener_statuses"]
        return {each["name"]: _host_port(each["local_address"]) for each in statuses}

    def config_dump(self) -> dict[str, Any]:
        """The whole configuration, as Envoy runs it."""
        return cast("dict[str, Any]", json.loads(self.get("/config_dump")))

    def fail_health_check(self) -> None:
        """Makes the health_check filter of this Envoy fail (`POST /healthcheck/fail`)."""
        self.post("/healthcheck/fail")

    def pass_health_check(self) -> None:
        """Takes back `fail_health_check` (`POST /healthcheck/ok`)."""
        self.post("/healthcheck/ok")

    def reset_counters(self) -> None:
        """Sets all counters to 0."""
        self.post("/reset_counters")

    def _request(self, method: str, path: str) -> str:
        status, text = self._exchange(method, path)
        if status != http.client.OK:
            raise RuntimeError(f"{method} {path} on {self.address}: {status} {text.strip()}")
        return text

    def _exchange(self, method: str, path: str) -> tuple[int, str]:
        # Not urllib: it would send loopback requests to the proxy the environment names.
        connection = http.client.HTTPConnection(self.address, timeout=5)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()


def _host(status: dict[str, Any]) -> Host:
    health: dict[str, Any] = status["health_status"]
    return Host(
        _host_port(status["address"]),
        # What is not a flag is the health that EDS gave, "HEALTHY" for a static endpoint.
        frozenset(name for name, value in health.items() if value is True),
        {each["name"]: int(each.get("value", 0)) for each in status.get("stats", [])},
    )


def _host_port(address: dict[str, Any]) -> str:
    host, port = address["socket_address"]["address"], address["socket_address"]["port_value"]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
