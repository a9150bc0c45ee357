"""Istio's side: the first route that matches, and the pods that its subsets have."""

from __future__ import annotations

import pytest

from protoc_gen_dubbo_mesh.rules.resources import (
    Abort,
    Destination,
    HostFile,
    Match,
    Route,
    StringMatch,
    Subset,
)
from protoc_gen_dubbo_mesh.rules.simulating import headers, route_of, simulate
from protoc_gen_dubbo_mesh.rules.worlds import Consumer, Instance, Request, World

_PODS = {"e": {"zone": "east"}, "er": {"zone": "east", "lane": "red"}, "w": {"zone": "west"}, "bare": {}}
_INSTANCES = tuple([Instance(name, "10.0.0.1", 50051, "orders", params) for name, params in _PODS.items()])
_CALLER = Consumer("web", "10.9.9.9", {"zone": "west", "region": "north"})
_REQUEST = Request("r", "s.S", "find", "2.0", "blue", _CALLER, {"Level": "15", "empty": ""}, ())
_WORLD = World("s.S", "orders", _INSTANCES, (_REQUEST,))
_SUBSETS = (
    Subset("east", (("zone", "east"),)),
    Subset("north", (("zone", "north"),)),
    Subset("prefer-red", (), ("zone=east", "lane=red")),
    Subset("prefer-own", (), ("zone",)),
    Subset("prefer-none", (), ("zone=north", "lane=red")),
    Subset("west-prefer-red", (("zone", "west"),), ("lane=red",)),
)


def _file(*routes: Route) -> HostFile:
    return HostFile("orders", None, routes, _SUBSETS)


def _takes(match: Match) -> bool:
    return route_of(_file(Route("r", (), (match,), (Destination(None),))), _REQUEST) is not None


def test_headers_are_those_of_triple() -> None:
    assert headers(_REQUEST) == {
        ":path": "/s.S/find",
        "tri-consumer-appname": "web",
        "tri-service-version": "2.0",
        "tri-service-group": "blue",
        "level": "15",
        "empty": "",
    }


@pytest.mark.parametrize(
    ("match", "wanted"),
    [
        (Match(uri=StringMatch("exact", "/s.S/find")), True),
        (Match(uri=StringMatch("prefix", "/s.S/f")), True),
        (Match(uri=StringMatch("regex", "/s.S/f")), False),
        (Match(uri=StringMatch("regex", "/[^/]+/find")), True),
        (Match(headers=(("level", None),)), True),
        (Match(headers=(("absent", None),)), False),
        (Match(headers=(("absent", StringMatch("regex", ".*")),)), False),
        (Match(headers=(("empty", StringMatch("exact", "")),)), True),
        (Match(without_headers=(("level", None),)), False),
        (Match(without_headers=(("absent", None),)), True),
        (Match(without_headers=(("absent", StringMatch("exact", "x")),)), True),
        (Match(without_headers=(("absent", StringMatch("exact", "")),)), False),
        (Match(without_headers=((":path", StringMatch("exact", "/s.S/find")),)), False),
        (Match(source_labels=(("region", "north"),)), True),
        (Match(source_labels=(("region", "south"),)), False),
    ],
)
def test_all_of_a_match_must_hold(match: Match, *, wanted: bool) -> None:
    assert _takes(match) is wanted


@pytest.mark.parametrize(
    ("subset", "names"),
    [
        (None, ("e", "er", "w", "bare")),
        ("east", ("e", "er")),
        ("north", ()),
        ("undefined", ()),
        ("prefer-red", ("er",)),
        ("prefer-own", ("w",)),
        ("prefer-none", ("e", "er", "w", "bare")),
        ("west-prefer-red", ("w",)),
    ],
)
def test_a_subset_has_the_pods_of_its_labels_and_prefers_some(
    subset: str | None, names: tuple[str, ...]
) -> None:
    assert simulate(_file(Route("r", (), (), (Destination(subset),))), _WORLD, _REQUEST) == {names: 1.0}


def test_weights_are_shares() -> None:
    route = Route("r", (), (), (Destination("east", 90), Destination("north", 10)))
    assert simulate(_file(route), _WORLD, _REQUEST) == {("e", "er"): 0.9, (): 0.1}


@pytest.mark.parametrize(
    "routes",
    [
        (),
        (Route("r", (), (), status=403),),
        (Route("r", (), (), (Destination(None),), abort=Abort("UNAVAILABLE")),),
        (Route("r", (), (Match(headers=(("absent", None),)),), (Destination(None),)),),
    ],
)
def test_nothing_serves_what_is_refused_or_has_no_route(routes: tuple[Route, ...]) -> None:
    assert simulate(_file(*routes), _WORLD, _REQUEST) == {(): 1.0}


def test_the_first_route_that_matches_counts() -> None:
    first = Route(
        "a", (), (Match(headers=(("absent", None),)), Match(headers=(("level", None),))), status=503
    )
    second = Route("b", (), (), (Destination(None),))
    assert route_of(_file(first, second), _REQUEST) == first
