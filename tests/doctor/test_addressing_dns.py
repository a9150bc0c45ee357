"""What the doctor says of name resolution. `resolver_pod.py` plays a pod whose name servers have faults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dubbo_mesh._doctor.addressing.names import queries
from dubbo_mesh._doctor.addressing.resolv_conf import ResolvConf
from tests.own_network import seen_in


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return seen_in("tests.doctor.resolver_pod", tmp_path_factory.mktemp("pod"))


@pytest.mark.parametrize(
    ("fault", "id", "call"),
    [
        pytest.param("unknown", "DM106", "Domain name not found", marks=pytest.mark.finds("DM106")),
        pytest.param("no address", "DM124", "answer with no data", marks=pytest.mark.finds("DM124")),
        pytest.param("absent", "DM123", "Could not contact DNS servers", marks=pytest.mark.finds("DM123")),
        pytest.param(
            "failing", "DM123", "DNS server returned general failure", marks=pytest.mark.finds("DM123")
        ),
        pytest.param("silent", "DM123", "DEADLINE_EXCEEDED", marks=pytest.mark.finds("DM123")),
        pytest.param("slow", "DM125", "", marks=pytest.mark.finds("DM125")),
    ],
)
def test_faults(seen: dict[str, Any], fault: str, id: str, call: str) -> None:
    """What the doctor finds, and what becomes of a call."""
    found = seen[fault]
    assert [each["id"] for each in found["findings"] if each["check"] == "dns"] == [id]
    assert [each["id"] for each in found["findings"] if each["id"]] == [id]
    assert call in found["call"]


def test_a_name_that_is_found(seen: dict[str, Any]) -> None:
    assert [each["id"] for each in seen["found"]["findings"] if each["id"]] == []
    (dns,) = [each for each in seen["found"]["findings"] if each["check"] == "dns"]
    assert "is 127.0.0.1, found in" in dns["finding"]
    assert "2 queries, A and AAAA; its trailing dot saves 6" in dns["finding"]


def test_a_name_with_many_addresses(seen: dict[str, Any]) -> None:
    (dns,) = [each for each in seen["many"]["findings"] if each["check"] == "dns"]
    assert "127.0.0.4 and 2 more" in dns["finding"]


def test_the_queries_are_as_many_as_said(seen: dict[str, Any]) -> None:
    """Those of the doctor; tests/addressing/test_interception.py shows those of channels."""
    name = "echo.default.svc.cluster.local"
    assert seen["found"]["queries"] == [["A", name], ["AAAA", name]]


class TestResolvConf:
    POD = """\
nameserver 10.96.0.10
search shop.svc.cluster.local svc.cluster.local cluster.local
options ndots:5
"""

    @staticmethod
    def read(tmp_path: Path, text: str) -> ResolvConf:
        file = tmp_path / "resolv.conf"
        file.write_text(text)
        return ResolvConf.read(file)

    def test_of_a_pod(self, tmp_path: Path) -> None:
        read = self.read(tmp_path, self.POD)
        assert read.nameservers == ["10.96.0.10"]
        assert read.kubernetes == ("shop", "cluster.local")
        assert read.names_tried("echo.shop.svc.cluster.local") == [
            "echo.shop.svc.cluster.local.shop.svc.cluster.local.",
            "echo.shop.svc.cluster.local.svc.cluster.local.",
            "echo.shop.svc.cluster.local.cluster.local.",
            "echo.shop.svc.cluster.local.",
        ]

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (POD, "2 queries, A and AAAA; its trailing dot saves 6 of the search list (ndots:5)"),
            (POD.replace("ndots:5", "ndots:2"), "2 queries, A and AAAA"),
            (POD.replace("ndots:5", "ndots:4"), "2 queries, A and AAAA"),
            ("nameserver 127.0.0.53\nsearch corp.example\n", "2 queries, A and AAAA"),
            ("", "2 queries, A and AAAA"),
        ],
    )
    def test_what_the_trailing_dot_saves(self, tmp_path: Path, text: str, said: str) -> None:
        assert queries("echo.shop.svc.cluster.local.", self.read(tmp_path, text)) == said

    @pytest.mark.parametrize(
        "text",
        [
            "search\n",
            "options ndots:x ndots:\n",
            "options ndots:99999999999999999999",
            "\x00\xff" * 100,
            "nameserver\nsearch .\n",
            "search a b.svc.cluster.local",
        ],
    )
    def test_what_is_malformed_counts_as_unset(self, tmp_path: Path, text: str) -> None:
        read = self.read(tmp_path, text)
        assert read.kubernetes is None
        assert read.ndots == 1
        assert read.names_tried("a.b")

    def test_one_that_is_not_there(self, tmp_path: Path) -> None:
        assert ResolvConf.read(tmp_path / "missing") == ResolvConf()
        assert ResolvConf.read(tmp_path) == ResolvConf()

    def test_variables_of_the_resolver_win(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LOCALDOMAIN", "corp.example")
        monkeypatch.setenv("RES_OPTIONS", "ndots:2")
        read = self.read(tmp_path, self.POD)
        assert (list(read.search), read.ndots) == (["corp.example"], 2)
