"""Health checks of the user's own, folded into what the health service says."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import dubbo_mesh
import localmesh
from dubbo_mesh import HealthCheck
from tests.serving.conftest import Running
from tests.serving.providers import Provider
from tests.serving.test_health import Keyed

Serve = Callable[..., Running]


class Database:
    """Something that a service needs, and that can be down in several ways."""

    def __init__(self) -> None:
        self.state: Any = True
        self.asked = 0
        self.released = threading.Event()

    def check(self) -> object:
        self.asked += 1
        if self.state == "hang":
            self.released.wait(20)
        if isinstance(self.state, Exception):
            raise self.state
        return self.state

    async def check_async(self) -> object:
        self.asked += 1
        if self.state == "hang":
            await asyncio.sleep(20)
        if isinstance(self.state, Exception):
            raise self.state
        return self.state


@pytest.fixture(params=["function", "coroutine function"])
def database(request: pytest.FixtureRequest) -> Any:
    database: Any = Database()
    database.either = database.check if request.param == "function" else database.check_async
    yield database
    database.released.set()


def becomes(running: Running, service: str, status: str) -> None:
    health = running.health()
    localmesh.wait_until(lambda: health.check(service) == status, what=f"{service!r} is {status}", timeout=5)


@pytest.mark.parametrize("down", [False, OSError("no route"), "hang"], ids=["False", "raises", "hangs"])
def test_while_a_check_fails_the_server_is_out(serve: Serve, database: Any, down: object) -> None:
    running = serve(
        health_checks=[HealthCheck(database.either, interval=0.05, timeout=0.2)], probes="127.0.0.1:0"
    )
    assert running.health().check() == "SERVING"
    assert running.probe("/ready") == (200, "true")
    database.state = down
    becomes(running, "", "NOT_SERVING")
    assert running.health().check("test.Echo") == "NOT_SERVING"
    assert running.probe("/ready") == (503, "false")
    assert running.probe("/live") == (200, "true")
    database.state = None  # to return nothing is to pass
    database.released.set()
    becomes(running, "", "SERVING")


def test_a_check_of_one_service_leaves_the_others(serve: Serve, database: Any) -> None:
    check = HealthCheck(database.either, service="blue/test.Keyed:2.0", interval=0.05)
    running = serve(Provider(), Keyed(), health_checks=[check])
    database.state = False
    becomes(running, "test.Keyed", "NOT_SERVING")
    assert [running.health().check(name) for name in ("", "test.Echo")] == ["SERVING", "SERVING"]


def test_a_server_comes_up_out_if_a_check_fails_from_the_beginning(make: Serve, database: Any) -> None:
    database.state = False
    running = make(health_checks=[HealthCheck(database.either, interval=0.05)]).start()
    assert running.health().check() == "NOT_SERVING"
    database.state = True
    becomes(running, "", "SERVING")


def test_a_check_that_hangs_does_not_pile_up(serve: Serve) -> None:
    database = Database()
    running = serve(health_checks=[HealthCheck(database.check, interval=0.02, timeout=0.05)])
    database.state = "hang"
    becomes(running, "", "NOT_SERVING")
    asked = database.asked
    time.sleep(0.4)
    assert database.asked == asked
    database.state = True
    database.released.set()
    becomes(running, "", "SERVING")


def test_a_check_that_hangs_holds_up_the_start_no_longer_than_its_timeout(make: Serve) -> None:
    database = Database()
    database.state = "hang"
    began = time.monotonic()
    running = make(health_checks=[HealthCheck(database.check, timeout=0.3)]).start()
    assert time.monotonic() - began < 5
    assert running.health().check() == "NOT_SERVING"
    database.released.set()


def test_checks_end_with_the_server(serve: Serve, database: Any) -> None:
    running = serve(health_checks=[HealthCheck(database.either, interval=0.02)])
    localmesh.wait_until(lambda: database.asked > 3, what="it was asked some times")
    running.drain()
    asked = database.asked
    time.sleep(0.2)
    assert database.asked <= asked + 1


def test_what_fails_is_logged_once(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    database = Database()
    running = serve(health_checks=[HealthCheck(database.check, interval=0.02)])
    database.state = OSError("no route")
    becomes(running, "", "NOT_SERVING")
    time.sleep(0.2)
    assert caplog.text.count("health check Database.check fails: OSError('no route')") == 1


def test_a_bare_function_is_a_check_of_the_server(serve: Serve) -> None:
    assert serve(health_checks=[lambda: False]).health().check() == "NOT_SERVING"


def test_mistakes_are_told_at_once(make: Serve) -> None:
    with pytest.raises(ValueError, match="interval: 0 is not a positive number of seconds"):
        HealthCheck(lambda: True, interval=0)
    with pytest.raises(ValueError, match="timeout: -1"):
        HealthCheck(lambda: True, timeout=-1)
    with pytest.raises(TypeError, match="'db' cannot be called"):
        HealthCheck("db")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with pytest.raises(dubbo_mesh.ConfigurationError, match=r"no service 'test\.Nobody' on this server"):
        make(health_checks=[HealthCheck(lambda: True, service="test.Nobody")]).start()
