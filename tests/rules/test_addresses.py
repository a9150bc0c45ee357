"""Patterns of addresses, as NetUtils of Dubbo Java reads them."""

from __future__ import annotations

import pytest

from protoc_gen_dubbo_mesh.rules.deciding import addresses


@pytest.mark.parametrize(
    ("pattern", "host"),
    [
        ("10.0.0.1:20880", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.1"),
        ("0.0.0.0:20880", "10.0.0.1"),
        ("*", "10.0.0.1"),
        ("10.0.*.1:20880", "10.0.0.1"),
        ("10.0.0.0-2", "10.0.0.1"),
        ("10.0.0.0/31", "10.0.0.1"),
        ("10.0.0.1/33", "10.0.0.1"),
        ("010.0.0.01", "10.0.0.1"),
        ("234e:0:4567:0:0:0:3d:0-ee", "234e:0:4567::3d:e"),
        ("[234e:0:4567:0:0:0:3d:*]:20880", "234e:0:4567::3d:e"),
        ("[::1]:20880", "::1"),
        ("::/64", "::1"),
    ],
)
def test_a_pattern_holds(pattern: str, host: str) -> None:
    assert addresses.matches(pattern, host, 20880)


@pytest.mark.parametrize(
    ("pattern", "host"),
    [
        ("10.0.0.1:20881", "10.0.0.1"),
        ("10.0.0.1:*", "10.0.0.1"),
        ("*:20880", "10.0.0.1"),
        ("10.0.0.2-", "10.0.0.2"),
        ("10.0.0.3-1", "10.0.0.2"),
        ("010.0.0.*", "10.0.0.1"),
        ("10.0.0.0/255.0.0.0", "10.0.0.1"),
        ("10.0.0.0/31:20880", "10.0.0.1"),
        ("", "10.0.0.1"),
        ("[::1]:20881", "::1"),
        ("::*", "::1"),
        ("10.0.0.1/" + "9" * 5000, "10.0.0.2"),
    ],
)
def test_a_pattern_does_not_hold(pattern: str, host: str) -> None:
    assert not addresses.matches(pattern, host, 20880)
