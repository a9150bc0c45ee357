"""Asks real Envoys which route requests take."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from localmesh import ReservedPort, wait_until
from tests.doctor.http2 import Headers, responses
from tests.sidecars.config import Json, http_listener, merged, typed
from tests.sidecars.sidecar import StaticEnvoy

REFUSED = "(refused)"
"""Stands for the route of a request that Envoy answers with 400 before it looks for one."""


# By default, Envoy refuses expressions that RE2 needs more than 100 steps for.
_RUNTIME = {"re2.max_program_size.error_level": 100_000}


class Answer(NamedTuple):
    """What an Envoy did with a request.

    Attributes:
        route: the name of the route; None if it found none, and `REFUSED` if it did not look for one.
        headers: headers of the request that its access log was to tell, as Envoy had them.
    """

    route: str | None
    headers: Mapping[str, str | None]


class Sent(NamedTuple):
    """Requests that have been sent.

    Attributes:
        cases: their numbers.
        answered: how many were answered.
    """

    cases: range
    answered: int


def answer(name: str, match: Json, **route: Any) -> dict[str, Any]:
    """A route that Envoy answers by itself."""
    return {"name": name, "match": match, "direct_response": {"status": 200}, **route}


class RoutingEnvoy:
    """An Envoy with a listener for each route configuration, that says which route each request takes.

    Args:
        managers: by the listener's name: what to merge over its `HttpConnectionManager`.
        tell: headers of requests that answers are to have.
        over: by the listener's name: what to merge over its `Listener`. Filter chains without filters get a
            connection manager whose only route is called like the chain.
        runtime: values of Envoy's runtime.
    """

    def __init__(
        self,
        managers: Mapping[str, Json],
        *,
        tell: Sequence[str] = (),
        over: Mapping[str, Json] = MappingProxyType({}),
        runtime: Json = MappingProxyType({}),
    ) -> None:
        self._ports = {name: ReservedPort() for name in managers}
        self._tell = tell
        layer = {"name": "static", "static_layer": {**_RUNTIME, **runtime}}
        self._envoy = StaticEnvoy("routing", bootstrap={"layered_runtime": {"layers": [layer]}})
        self._path = self._envoy.directory / "routes.jsonl"
        self._entries: dict[int, dict[str, Any]] = {}
        self._read = 0
        self._elsewhere: dict[str, str] = {}
        self._asked = 0
        self._envoy.listeners.extend(
            http_listener(
                name,
                self._ports[name].address,
                [],
                access_logs=[_access_log(self._path, tell)],
                connection_manager=merged({"http2_protocol_options": {}}, manager),
                listener=self._filled(over.get(name, {})),
            )
            for name, manager in managers.items()
        )

    def _filled(self, listener: Json) -> Json:
        """The message, with filters in its filter chains."""
        filled = dict(listener)
        if "filter_chains" in listener:
            filled["filter_chains"] = [self._chain(each) for each in listener["filter_chains"]]
        if "default_filter_chain" in listener:
            filled["default_filter_chain"] = self._chain(listener["default_filter_chain"])
        return filled

    def _chain(self, chain: Json) -> Json:
        if "filters" in chain:
            return chain
        host = {"name": "all", "domains": ["*"], "routes": [answer(chain["name"], {"prefix": "/"})]}
        log = _access_log(self._path, self._tell)
        made = http_listener(chain["name"], "127.0.0.1:0", [host], access_logs=[log])
        return {**chain, "filters": made["filter_chains"][0]["filters"]}

    def __enter__(self) -> RoutingEnvoy:
        self._envoy.__enter__()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._envoy.close()
        for port in self._ports.values():
            port.close()

    @property
    def envoy(self) -> StaticEnvoy:
        """The Envoy."""
        return self._envoy

    def address(self, listener: str) -> str:
        """`host:port` of a listener."""
        return self._elsewhere.get(listener) or self._ports[listener].address

    def listen(self, listener: str, address: str) -> None:
        """Says where a listener is whose address `over` has."""
        self._elsewhere[listener] = address

    def ask(self, listener: str, requests: Sequence[Headers]) -> list[Answer]:
        """What happens to each of some requests, on one connection."""
        return self.answers(self.send(listener, requests))

    def send(
        self, listener: str, requests: Sequence[Headers], *, source: str | None = None, preface: bytes = b""
    ) -> Sent:
        """Sends requests on one connection.

        Args:
            listener: the name of the listener.
            requests: the headers of each.
            source: the address to connect from.
            preface: what to send before HTTP.

        Raises:
            ConnectionError: Envoy closed the connection.
        """
        first = self._asked
        self._asked += len(requests)
        sent = [[*headers, ("x-case", str(first + index))] for index, headers in enumerate(requests)]
        got = responses(self.address(listener), sent, source=source, preface=preface)
        return Sent(range(first, first + len(requests)), sum(each is not None for each in got))

    def answers(self, sent: Sent) -> list[Answer]:
        """What happened to requests: some 50 ms after they were sent, it can be told at once."""
        wait_until(lambda: self._logged(sent) >= sent.answered, what="requests are logged", timeout=20)
        return [self._answer(self._entries.get(case)) for case in sent.cases]

    def _logged(self, sent: Sent) -> int:
        """How many of some requests have been logged. Reads what has been added to the log."""
        if self._path.exists():
            with self._path.open("rb") as log:
                log.seek(self._read)
                lines = log.read().rpartition(b"\n")[0].splitlines(keepends=True)
            self._read += sum(map(len, lines)) + bool(lines)
            for line in lines:
                entry = json.loads(line)
                self._entries[int(entry["case"])] = entry
        return sum(case in self._entries for case in sent.cases)

    def _answer(self, entry: Mapping[str, Any] | None) -> Answer:
        if entry is None or (entry["route"] is None and entry["details"] != "route_not_found"):
            return Answer(REFUSED, {})
        return Answer(entry["route"], {name: entry[name] for name in self._tell})


def _access_log(path: Path, tell: Sequence[str]) -> Json:
    fields = {"case": "%REQ(X-CASE)%", "route": "%ROUTE_NAME%", "details": "%RESPONSE_CODE_DETAILS%"}
    told = {name: f"%REQ({name})%" for name in tell}
    return {
        "name": "envoy.access_loggers.file",
        "typed_config": typed(
            "envoy.extensions.access_loggers.file.v3.FileAccessLog",
            path=str(path),
            log_format={"json_format": fields | told},
        ),
    }
