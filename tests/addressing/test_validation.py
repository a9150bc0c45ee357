"""Names and texts from outside: what is accepted, and what is made of the rest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dubbo_mesh._contract.validation import check_host_port, is_sendable, printable


def test_port_0_is_for_what_listens() -> None:
    assert check_host_port("address:", "[::]:0", any_port=True) == "[::]:0"
    with pytest.raises(
        ValueError, match=r"^address: '\[::\]:0': port must be an integer from 1 to 65535, not 0"
    ):
        check_host_port("address:", "[::]:0")
    with pytest.raises(ValueError, match="port must be an integer from 1 to 65535, not 65536"):
        check_host_port("address:", "[::]:65536", any_port=True)


@given(st.text())
def test_any_text_is_an_address_or_a_value_error(text: str) -> None:
    for value in (text, f"{text}:80", f"[{text}]:80", f"a.{text}:80"):
        try:
            assert check_host_port("address:", value) == value
        except ValueError as error:
            assert str(error).startswith("address: ")  # noqa: PT017 - there need not be one
        else:
            # What is accepted can be resolved: getaddrinfo() encodes it first.
            assert value.rpartition(":")[0].strip("[]").encode("idna")


@given(st.text(), st.integers(4, 200))
def test_a_peers_text_is_printable_and_short(text: str, limit: int) -> None:
    shown = printable(text, limit)
    assert len(shown) <= limit
    assert shown.isascii()
    assert shown.isprintable()
    if is_sendable(text) and len(text) <= limit:
        assert shown == text
