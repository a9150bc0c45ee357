"""Health checks of the user's own, folded into what the health service says."""

from __future__ import annotations

import asyncio
import functools
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import dubbo_mesh
import localmesh
from dubbo_mesh import HealthCheck
from dubbo_mesh._health.board import Board
from dubbo_mesh._health.checks import Checker
from tests.serving.conftest import Kind, LoopThread, Running
from tests.serving.providers import Provider
from tests.serving.test_health import Keyed

Serve = Callable[..., Running]


class Database:
    """Something that a service needs, and that can be down in several ways."""

    def __init__(self) -> None:
        self.state: Any = True
        self.asked = 0
        self.hangs = threading.Event()
        self.released = threading.Event()

    def check(self) -> object:
        self.asked += 1
        if self.state == "hang":
            self.hangs.set()
            self.released.wait()
        if isinstance(self.state, Exception):
            raise self.state
        return self.state

    async def check_async(self) -> object:
        self.asked += 1
        if self.state == "hang":
            self.hangs.set()
            await asyncio.get_running_loop().create_future()
        if isinstance(self.state, Exception):
            raise self.state
        return self.state


class Asked:
    """An object with an async `__call__`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def __call__(self) -> object:
        return await self._database.check_async()


WAYS: dict[str, Callable[[Database], Callable[[], object]]] = {
    "function": lambda database: database.check,
    "coroutine function": lambda database: database.check_async,
    "function that returns a coroutine": lambda database: lambda: database.check_async(),
    "partial": lambda database: functools.partial(database.check_async),
    "object with async call": Asked,
}


@pytest.fixture(params=WAYS)
def database(request: pytest.FixtureRequest) -> Any:
    database: Any = Database()
    database.either = WAYS[request.param](database)
    yield database
    database.released.set()


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    localmesh.wait_until(lambda: check_threads() == [], what="no thread of a check is left")


def check_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("dubbo-mesh-check")]


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
    database, other = Database(), Database()
    checks = [HealthCheck(each.check, interval=0.02, timeout=0.05) for each in (database, other)]
    running = serve(health_checks=checks)
    database.state = "hang"
    becomes(running, "", "NOT_SERVING")
    asked, others = database.asked, other.asked
    localmesh.wait_until(lambda: other.asked > others + 5, what="another check was run some times")
    assert database.asked == asked
    database.state = True
    database.released.set()
    becomes(running, "", "SERVING")


def test_a_check_that_hangs_does_not_hold_up_the_start(make: Serve, database: Any) -> None:
    database.state = "hang"
    running = make(health_checks=[HealthCheck(database.either, timeout=0.3)]).start()
    assert running.health().check() == "NOT_SERVING"
    database.released.set()


def test_checks_end_with_the_server(serve: Serve, database: Any) -> None:
    running = serve(health_checks=[HealthCheck(database.either, interval=0.02)])
    localmesh.wait_until(lambda: database.asked > 3, what="it was asked some times")
    running.drain()
    assert check_threads() == []


def test_what_hangs_does_not_hold_up_the_end(serve: Serve, database: Any) -> None:
    running = serve(health_checks=[HealthCheck(database.either, interval=0.02, timeout=60)])
    database.state = "hang"
    assert database.hangs.wait(10)
    running.drain()
    if database.either == database.check:  # nothing ends a function but itself
        assert len(check_threads()) == 1
        database.released.set()
    else:
        assert check_threads() == []


def test_what_is_late_is_cancelled_if_it_is_awaited(serve: Serve) -> None:
    cancelled = threading.Event()
    running_now = 0

    async def check() -> None:
        nonlocal running_now
        running_now += 1
        assert running_now == 1
        try:
            await asyncio.sleep(20)
        except asyncio.CancelledError:
            await asyncio.sleep(0.05)  # the next run waits for this one to end
            cancelled.set()
            raise
        finally:
            running_now -= 1

    running = serve(health_checks=[HealthCheck(check, interval=0.01, timeout=0.02)])
    assert running.health().check() == "NOT_SERVING"
    for _ in range(3):
        assert cancelled.wait(10)
        cancelled.clear()


def test_awaitables_of_a_server_share_an_event_loop(serve: Serve, kind: Kind, loop: LoopThread) -> None:
    """What belongs to one, such as a connection pool, can be used by one run after the other."""
    loops: list[asyncio.AbstractEventLoop] = []

    async def check() -> None:
        loops.append(asyncio.get_running_loop())

    serve(health_checks=[HealthCheck(check, interval=0.01) for _ in range(2)])
    localmesh.wait_until(lambda: len(loops) > 5, what="the checks were run some times")
    assert len(set(loops)) == 1
    assert (loops[0] is loop.loop) == (kind == "aio")


class UnprintableError(Exception):
    def __repr__(self) -> str:
        raise RuntimeError("no")


def throw(error: BaseException) -> object:
    raise error


def takes_one(missing: object) -> bool:
    return missing is not None


MISTAKES: dict[str, tuple[Callable[..., object], str]] = {
    "wrong arity": (takes_one, "missing 1 required positional argument: 'missing'"),
    "SystemExit": (lambda: sys.exit(3), "SystemExit(3)"),
    "GeneratorExit": (lambda: throw(GeneratorExit()), "GeneratorExit()"),
    "CancelledError": (lambda: throw(asyncio.CancelledError()), "CancelledError()"),
    "TimeoutError": (lambda: throw(TimeoutError("of its own")), "TimeoutError('of its own')"),
    "unprintable": (lambda: throw(UnprintableError()), "UnprintableError"),
    "many lines": (lambda: throw(ValueError("a\nb" * 1000)), r"ValueError('a\nba\nb"),
}


def eventually(check: Callable[..., object]) -> Callable[..., object]:
    async def check_async(*arguments: object) -> object:
        await asyncio.sleep(0)
        return check(*arguments)

    if check is takes_one:
        return lambda: check_async()
    return check_async


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("mistake", MISTAKES)
def test_whatever_is_wrong_with_a_check_it_fails_and_says_why(
    make: Serve, caplog: pytest.LogCaptureFixture, mistake: str, is_async: bool
) -> None:
    check, why = MISTAKES[mistake]
    running = make(health_checks=[HealthCheck(eventually(check) if is_async else check)]).start()
    assert running.health().check() == "NOT_SERVING"
    (warning,) = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert warning.startswith("health check ")
    assert why in warning
    assert len(warning) < 700


def test_a_result_that_cannot_be_had_in_time_does_not_hold_up_the_start() -> None:
    never_run = asyncio.new_event_loop()

    async def check() -> None: ...

    board = Board(serving=True)
    checker = Checker([HealthCheck(check, timeout=0.1)], board, never_run)
    checker.wait_checked()
    assert board.is_serving("") is False
    checker.close()
    never_run.run_until_complete(asyncio.sleep(0))  # what is left for it must not be warned of
    never_run.close()


def test_checks_end_with_their_event_loop(database: Any) -> None:
    loop = LoopThread()
    checker = Checker([HealthCheck(database.either, interval=0.02)], Board(serving=True), loop.loop)
    checker.wait_checked()
    loop.close()
    localmesh.wait_until(lambda: check_threads() == [], what="no thread of a check is left")
    checker.close()


def test_what_fails_is_logged_once(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    database = Database()
    running = serve(health_checks=[HealthCheck(database.check, interval=0.02)])
    database.state = OSError("no route")
    becomes(running, "", "NOT_SERVING")
    asked = database.asked
    localmesh.wait_until(lambda: database.asked > asked + 5, what="it has failed some times")
    assert caplog.text.count("health check Database.check fails: OSError('no route')") == 1


def test_a_bare_function_is_a_check_of_the_server(serve: Serve) -> None:
    assert serve(health_checks=[lambda: False]).health().check() == "NOT_SERVING"


def test_mistakes_are_told_at_once(make: Serve) -> None:
    with pytest.raises(ValueError, match="interval must be a positive number of seconds, not 0"):
        HealthCheck(lambda: True, interval=0)
    with pytest.raises(ValueError, match="timeout must be a positive number of seconds, not -1"):
        HealthCheck(lambda: True, timeout=-1)
    with pytest.raises(TypeError, match="check must be callable, not 'db'"):
        HealthCheck("db")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with pytest.raises(dubbo_mesh.ConfigurationError, match=r"no service 'test\.Nobody' on this server"):
        make(health_checks=[HealthCheck(lambda: True, service="test.Nobody")]).start()
