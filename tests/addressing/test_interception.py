"""Sidecar mode where the sidecar intercepts: the mesh name itself is dialled. `pod.py` plays the pod."""

from __future__ import annotations

from typing import Any

import pytest

from tests.own_network import seen_in

HOST = "echo.default.svc.cluster.local"
SEARCH = ("default.svc.cluster.local", "svc.cluster.local", "cluster.local")


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return seen_in("tests.addressing.pod", tmp_path_factory.mktemp("pod"))


def queries(*names: str) -> list[list[str]]:
    return sorted([kind, name] for name in names for kind in ("A", "AAAA"))


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_stub_dials_its_services_name_through_the_sidecar(seen: dict[str, Any], kind: str) -> None:
    assert seen[kind]["answers"] == ["provider"]
    assert seen[kind]["connections"] == [1, 0]


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_only_the_full_name_is_looked_up_and_no_service_config(seen: dict[str, Any], kind: str) -> None:
    assert seen[kind]["queries"] == queries(HOST)


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_the_authority_has_no_trailing_dot(seen: dict[str, Any], kind: str) -> None:
    assert seen[kind]["authorities"] == [f"{HOST}:50051"]


def test_without_the_trailing_dot_the_search_list_is_tried(seen: dict[str, Any]) -> None:
    twin = seen["without the dot"]
    assert twin["answers"] == ["provider"]
    assert twin["queries"] == queries(HOST, *(f"{HOST}.{domain}" for domain in SEARCH))


def test_a_trailing_dot_in_the_authority_would_find_no_virtual_host(seen: dict[str, Any]) -> None:
    twin = seen["dot in the authority"]
    assert twin["answers"] == ["UNIMPLEMENTED"]
    assert twin["authorities"] == [f"{HOST}.:50051"]


def test_a_name_with_two_addresses_keeps_to_one_connection(seen: dict[str, Any]) -> None:
    twins = seen["two addresses"]
    assert twins["answers"] == ["provider"]
    assert sorted(twins["connections"]) == [0, 1]


def test_a_callers_own_balancing_wins(seen: dict[str, Any]) -> None:
    assert seen["two addresses, the caller's own balancing"]["connections"] == [1, 1]


def test_requests_differ_from_plain_grpcios_in_nothing(seen: dict[str, Any]) -> None:
    plain, ours = seen["wire"]
    assert plain[":authority"] == "wire.default.svc.cluster.local:50051"
    assert plain.pop("x-request-id") != ours.pop("x-request-id")  # Envoy's, one for each request
    assert ours == plain
