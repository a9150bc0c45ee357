"""grpc-interceptor's mapping of exceptions to statuses has its effect on our servers as on grpc's."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from grpc_interceptor import AsyncExceptionToStatusInterceptor, ExceptionToStatusInterceptor

from tests.third_party.servers import KINDS, SECRET, SERVERS, SHAPES, Server, call, serving

INTERNAL = "internal error: see the server's log"


def mapping(kind: str, **settings: Any) -> list[Any]:
    sync = kind == "sync"
    return [(ExceptionToStatusInterceptor if sync else AsyncExceptionToStatusInterceptor)(**settings)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
class TestWhatIsMapped:
    @pytest.mark.parametrize("server", SERVERS)
    @pytest.mark.parametrize(
        ("text", "code", "details"),
        [
            ("fine", grpc.StatusCode.OK, ""),
            ("missing", grpc.StatusCode.NOT_FOUND, "no such pet"),
            ("abort", grpc.StatusCode.FAILED_PRECONDITION, "not now"),
        ],
    )
    def test_arrives(
        self, kind: str, shape: str, server: Server, text: str, code: grpc.StatusCode, details: str
    ) -> None:
        with serving(server, kind, mapping(kind)) as address:
            _, *ended = call(address, shape, text)
        assert ended == [code, details]

    @pytest.mark.parametrize("server", SERVERS)
    def test_so_does_what_it_makes_of_everything_else(self, kind: str, shape: str, server: Server) -> None:
        settings = {"status_on_unknown_exception": grpc.StatusCode.DATA_LOSS}
        with serving(server, kind, mapping(kind, **settings)) as address:
            _, *ended = call(address, shape, "broken")
        assert ended == [grpc.StatusCode.DATA_LOSS, repr(LookupError(SECRET))]

    def test_what_it_lets_pass_is_what_each_server_makes_of_exceptions(self, kind: str, shape: str) -> None:
        endings: dict[str, list[Any]] = {}
        for server in SERVERS:
            with serving(server, kind, mapping(kind)) as address:
                _, *endings[server] = call(address, shape, "broken")
        assert endings["added"] == endings["plain"]
        assert endings["plain"][0] is grpc.StatusCode.UNKNOWN
        assert SECRET in endings["plain"][1]
        assert endings["ours"] == [grpc.StatusCode.INTERNAL, INTERNAL]
