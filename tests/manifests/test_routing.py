"""Routes: each path meets the policy of its rpc, and there are as few routes as possible."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protoc_gen_dubbo_mesh.mesh.routing import ACTIONS, NO_RETRIES, Action, Match, Retries, Route, routes
from protoc_gen_dubbo_mesh.policy.model import CallPolicy, Retry, RpcPolicy, ServicePolicy
from tests.manifests.services import rpc, service

POLICIES = [
    CallPolicy(),
    CallPolicy(timeout=3.0),
    CallPolicy(timeout=1.0, per_try_timeout=0.25, retry=Retry(attempts=3, on=("reset",))),
    CallPolicy(retry=Retry(attempts=1)),
]
BY_ROUTES = ACTIONS["routes"]
RPCS = st.builds(
    rpc,
    st.sampled_from("abcdefgh"),
    st.sampled_from(POLICIES),
    server_streaming=st.booleans(),
    idempotent=st.booleans(),
).flatmap(lambda each: st.sampled_from([each, each._replace(aliases=(f"{each.name}Too",))]))
SERVICES = st.lists(
    st.builds(
        service,
        st.sampled_from(["p.A", "p.AB", "p.C", "q.A"]),
        st.lists(RPCS, max_size=6, unique_by=lambda each: each.name),
    ),
    max_size=4,
    unique_by=lambda each: each.name,
)
SUBSETS = st.sampled_from([None, "v1", "v2"])


def first_match(found: Sequence[Route], path: str) -> Route:
    """The route that a path meets, as Envoy and Istio choose it: the first that matches."""

    def matches(match: Match) -> bool:
        return path.startswith(match.path) if match.is_prefix else path == match.path

    return next(route for route in found if not route.matches or any(map(matches, route.matches)))


def paths(of: ServicePolicy, each: RpcPolicy) -> list[str]:
    return [each.path, *(f"/{of.name}/{alias}" for alias in each.aliases)]


class TestRoutes:
    @given(SERVICES, st.data(), st.sampled_from(sorted(ACTIONS)))
    def test_each_path_meets_the_policy_of_its_rpc(
        self, services: list[ServicePolicy], data: st.DataObject, enforced_by: str
    ) -> None:
        subsets = {each.name: data.draw(SUBSETS) for each in services}
        found = routes("demo", services, subsets, ACTIONS[enforced_by])
        for each in services:
            for one in each.rpcs:
                for path in paths(each, one):
                    met = first_match(found, path)
                    assert met.action == ACTIONS[enforced_by](one, subsets[each.name])
                    assert one in met.rpcs

    @given(SERVICES)
    def test_there_are_as_few_as_possible(self, services: list[ServicePolicy]) -> None:
        found = routes("demo", services, {each.name: None for each in services}, BY_ROUTES)
        expected = 1  # what matches everything
        for each in services:
            actions = [ACTIONS["routes"](one, None) for one in each.rpcs for _ in range(1 + len(one.aliases))]
            without_prefix = sum(action != Action() for action in actions)
            with_prefix = [1 + sum(action != usual for action in actions) for usual in set(actions)]
            expected += min([without_prefix, *with_prefix])
        assert sum(len(route.matches) or 1 for route in found) == expected
        for one, other in itertools.combinations(found, 2):
            is_prefix = [bool(each.matches) and each.matches[0].is_prefix for each in (one, other)]
            assert one.action != other.action or is_prefix[0] != is_prefix[1] or not other.matches

    @given(SERVICES, st.data())
    def test_the_order_of_services_does_not_matter(
        self, services: list[ServicePolicy], data: st.DataObject
    ) -> None:
        subsets = dict.fromkeys((each.name for each in services), None)
        shuffled = data.draw(st.permutations(services))
        assert routes("demo", shuffled, subsets, BY_ROUTES) == routes("demo", services, subsets, BY_ROUTES)

    @given(SERVICES)
    def test_names_are_unique(self, services: list[ServicePolicy]) -> None:
        found = routes("demo", services, {each.name: None for each in services}, BY_ROUTES)
        names = [route.name for route in found]
        assert len(set(names)) == len(names)

    def test_a_thousand_equal_rpcs_are_one_route(self) -> None:
        many = service("a.B", [rpc(f"r{number}", CallPolicy(timeout=3.0)) for number in range(1000)])
        found = routes("demo", [many], {"a.B": None}, BY_ROUTES)
        assert [route.matches for route in found] == [(Match("/a.B/", is_prefix=True),), ()]


class TestActionsByRoutes:
    @pytest.mark.parametrize("shape", [(False, True), (True, False), (True, True)])
    def test_streams_have_no_timeout(self, shape: tuple[bool, bool]) -> None:
        stream = rpc("s", POLICIES[2], client_streaming=shape[0], server_streaming=shape[1])
        action = ACTIONS["routes"](stream, None)
        assert action.timeout is None
        assert action.per_try_timeout is None
        assert action.retries == Retries(2, ("reset",))

    def test_timeout_0_is_none(self) -> None:
        assert ACTIONS["routes"](rpc("a", CallPolicy(timeout=0.0)), None).timeout is None

    def test_what_is_not_idempotent_is_not_retried_unless_asked(self) -> None:
        assert ACTIONS["routes"](rpc("a"), None).retries == NO_RETRIES
        safe = ACTIONS["routes"](rpc("a", CallPolicy(retry=Retry(attempts=3))), None).retries
        assert safe == Retries(2, ("connect-failure", "refused-stream"))

    def test_what_is_idempotent_is_retried_once(self) -> None:
        retries = ACTIONS["routes"](rpc("a", idempotent=True), None).retries
        assert retries == Retries(1, ("connect-failure", "refused-stream", "reset", "unavailable"))

    @pytest.mark.parametrize(
        ("retry", "conditions"),
        [
            (Retry(status_codes=(503,)), ("retriable-status-codes",)),
            (Retry(on=("retriable-status-codes",), status_codes=(503,)), ("retriable-status-codes",)),
            (Retry(grpc_on=("internal",), header_names=("x-again",)), ("internal", "retriable-headers")),
        ],
    )
    def test_codes_and_headers_are_conditions(self, retry: Retry, conditions: tuple[str, ...]) -> None:
        retries = ACTIONS["routes"](rpc("a", CallPolicy(retry=retry)), None).retries
        assert retries == Retries(1, conditions, retry.status_codes or (), retry.header_names or ())


class TestActionsByHeaders:
    def test_the_meshs_own_retries_are_left_to_what_is_idempotent(self) -> None:
        assert ACTIONS["headers"](rpc("a", idempotent=True), "v1") == Action("v1", None)
        assert ACTIONS["headers"](rpc("a", POLICIES[2]), "v1") == Action("v1", NO_RETRIES)

    def test_who_asks_for_one_attempt_gets_none_of_the_meshs(self) -> None:
        assert ACTIONS["headers"](rpc("a", POLICIES[3], idempotent=True), None) == Action(None, NO_RETRIES)
