"""Which application is meant by a name in `calls`, and who may call an application."""

from __future__ import annotations

import pytest

from protoc_gen_dubbo_mesh.errors import GenerationError
from protoc_gen_dubbo_mesh.mesh.calls import Calls
from protoc_gen_dubbo_mesh.mesh.model import App, Mesh
from protoc_gen_dubbo_mesh.mesh.settings import AppSettings


def app(name: str, namespace: str | None = None, *calls: tuple[str, str | None]) -> App:
    """An application that calls these, and of which that is known."""
    settings = AppSettings(calls=calls, where="mesh.toml:1")
    return App(name, namespace, name, (), (("app", name),), (), settings)


def called(caller: App, *others: App) -> list[tuple[str, str | None, bool]]:
    """The name and namespace of each application that `caller` calls, and whether the run knows it."""
    found = Calls(Mesh((caller, *others), "headers")).callees(caller)
    assert found is not None
    return [(callee.name, callee.namespace, callee.app is not None) for callee in found]


class TestAName:
    def test_alone_is_the_only_application_of_that_name(self) -> None:
        caller = app("web", "front", ("greeter", None))
        assert called(caller, app("greeter", "shop")) == [("greeter", "shop", True)]

    def test_alone_is_the_one_in_the_callers_namespace_first(self) -> None:
        caller = app("web", "front", ("greeter", None))
        assert called(caller, app("greeter", "shop"), app("greeter", "front")) == [("greeter", "front", True)]

    def test_of_nothing_in_this_run_is_in_the_callers_namespace(self) -> None:
        assert called(app("web", "front", ("postgres", None))) == [("postgres", "front", False)]
        assert called(app("web", None, ("postgres", None))) == [("postgres", None, False)]

    def test_with_a_namespace_is_what_it_says(self) -> None:
        caller = app("web", "front", ("greeter", "test"), ("greeter", "shop"))
        expected = [("greeter", "shop", True), ("greeter", "test", False)]
        assert called(caller, app("greeter", "shop")) == expected

    def test_that_may_mean_several_is_an_error(self) -> None:
        caller = app("web", "front", ("greeter", None))
        with pytest.raises(
            GenerationError, match=r"^mesh\.toml:1: app web calls greeter, .* write greeter\.shop"
        ):
            called(caller, app("greeter", "shop"), app("greeter", "test"))


def test_callers_are_known_or_may_call_anything() -> None:
    greeter = app("greeter", "shop")
    web = app("web", "front", ("greeter", None))
    job = app("job", "back", ("postgres", None))
    calls = Calls(Mesh((greeter, job, web), "headers"))
    assert calls.namespaces_of_callers(greeter) == ("front",)
    assert calls.namespaces_of_callers(web) == ()
    assert calls.callees(greeter) == ()
    unknown = App("cron", None, "cron", (), (("app", "cron"),), (), AppSettings())
    calls = Calls(Mesh((unknown, greeter, job, web), "headers"))
    assert calls.callees(unknown) is None
    assert calls.namespaces_of_callers(greeter) == (None, "front")
