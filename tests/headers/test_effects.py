"""Every field of EnvoyHeaders takes effect on a real Envoy, and its effect is absent without it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import cache

import pytest

from dubbo_mesh import ConfigurationError, Environment, EnvoyHeaders
from dubbo_mesh._contract.header_checks import RETRY_GRPC_ON, RETRY_ON
from tests.headers.bench import SIDECAR_INTERNAL, TRUSTS, Bench, Trust
from tests.headers.cases import CASES, Case, unavailable
from tests.headers.document import (
    DOCUMENT,
    FORWARDED_FOR,
    POD_IP,
    UPDATE,
    Effect,
    Standing,
    difference,
    effects_table,
    measure_effect,
    measure_standing,
    standings_table,
    with_tables,
)

NEEDS_HTTP_3 = {"http3-post-connect-failure"}


@pytest.fixture(scope="session")
def effect_of(bench: Bench) -> Callable[[Case], Effect]:
    """Measures each case once, for its own test and for that of the documentation."""
    by_name = {case.name: case for case in CASES}

    @cache
    def measured(name: str) -> Effect:
        return measure_effect(by_name[name], bench)

    return lambda case: measured(case.name)


@pytest.fixture(scope="session")
def standing_of(bench: Bench) -> Callable[[Trust, str], Standing]:
    @cache
    def measured(trust: Trust, forwarded_for: str) -> Standing:
        return measure_standing(trust, forwarded_for, bench)

    return measured


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_field_has_its_effect_and_only_with_it(case: Case, effect_of: Callable[[Case], Effect]) -> None:
    effect = effect_of(case)
    assert (effect.without, effect.honoured) == (case.without, case.effect)
    assert case.without != case.effect


def test_there_is_a_case_for_every_field_and_policy() -> None:
    assert {case.field for case in CASES} == {each.name for each in fields(EnvoyHeaders)}
    asked = [case.asked for case in CASES if isinstance(case.asked, EnvoyHeaders)]
    implied = {"retriable-status-codes", "retriable-headers"}  # by the fields that name the codes and headers
    assert {policy for each in asked for policy in each.retry_on or ()} == {
        *RETRY_ON
    } - implied - NEEDS_HTTP_3
    assert {policy for each in asked for policy in each.retry_grpc_on or ()} == {*RETRY_GRPC_ON}


@pytest.mark.parametrize("forwarded_for", FORWARDED_FOR)
@pytest.mark.parametrize("name", TRUSTS)
def test_a_request_is_internal_by_the_clients_address(
    name: str, forwarded_for: str, standing_of: Callable[[Trust, str], Standing]
) -> None:
    trust = TRUSTS[name]
    sent = {"off": None, "pod": POD_IP}.get(forwarded_for, forwarded_for)
    inside = {"127.0.0.0/8": "127.", "10.0.0.0/8": "10."}
    # With use_remote_address the peer's own address counts, but not for who claims to speak for another.
    client = sent if not trust.use_remote_address else None if sent else "127.0.0.1"
    internal = client is not None and any(
        client.startswith(inside[each]) for each in trust.internal_addresses
    )

    standing = standing_of(trust, forwarded_for)

    assert standing.honoured == internal
    assert standing.request_id_kept == (internal or not trust.use_remote_address)
    if sent is not None:
        assert standing.forwarded_for.split(", ")[0] == sent
        # The provider's sidecar, which trusts 127.0.0.0/8, believes what is left of the claim.
        assert standing.internal_at_provider == (standing.forwarded_for == "127.0.0.1")


def test_a_providers_sidecar_takes_the_claimed_address_for_the_clients(bench: Bench) -> None:
    claimed = bench.run(
        TRUSTS["sidecar"], EnvoyHeaders(), app="ingress", DUBBO_MESH_FORWARDED_FOR="198.51.100.9"
    )
    assert claimed.at_ingress["client"] == "198.51.100.9"


def test_the_documentation_has_what_was_measured(
    effect_of: Callable[[Case], Effect],
    standing_of: Callable[[Trust, str], Standing],
    pytestconfig: pytest.Config,
) -> None:
    tables = {
        "effects": effects_table((case, effect_of(case)) for case in CASES),
        "standings": standings_table(
            (trust, each, standing_of(trust, each)) for trust in TRUSTS.values() for each in FORWARDED_FOR
        ),
    }
    document = DOCUMENT.read_text()
    measured = with_tables(document, tables)
    if pytestconfig.getoption("--update-docs", default=False):
        DOCUMENT.write_text(measured)
    else:
        assert measured == document, f"{difference(document, measured)}\n\n{UPDATE}"


def test_who_is_forwarded_for_twice_is_not_internal(bench: Bench) -> None:
    asked = EnvoyHeaders(retry_grpc_on="unavailable")
    for forwarded_for, attempts in (("127.0.0.1", 2), ("127.0.0.1,127.0.0.1", 1)):
        metadata = (("x-forwarded-for", forwarded_for),)
        outcome = bench.run(SIDECAR_INTERNAL, asked, behaviour=unavailable, metadata=metadata)
        assert len(outcome.attempts) == attempts


@pytest.mark.parametrize(
    "value", ["abc", "10.0.0", "127.0.0.1:80", "127.0.0.1, 10.0.0.1", "10.0.0.0/8", "On"]
)
def test_what_to_forward_for_is_an_address(value: str) -> None:
    for variables in (
        {"DUBBO_MESH_FORWARDED_FOR": value},
        {"DUBBO_MESH_FORWARDED_FOR": "pod", "POD_IP": value},
        {"DUBBO_MESH_FORWARDED_FOR": "pod"},
    ):
        with pytest.raises(ConfigurationError, match=r"^DUBBO_MESH_FORWARDED_FOR\b"):
            Environment.read(variables)


@pytest.mark.parametrize("address", ["127.0.0.1", "2001:db8::1"])
def test_it_is_off_unless_set(address: str) -> None:
    assert Environment.read({}).forwarded_for is None
    assert Environment.read({"DUBBO_MESH_FORWARDED_FOR": "off"}).forwarded_for is None
    assert Environment.read({"DUBBO_MESH_FORWARDED_FOR": address}).forwarded_for == address
    assert Environment.read({"DUBBO_MESH_FORWARDED_FOR": "pod", "POD_IP": address}).forwarded_for == address
