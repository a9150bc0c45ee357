"""Configurators of the cases become what is expected, line by line."""

from __future__ import annotations

from pathlib import Path

from tests.rules.recorded import convert

SERVICE = "/com.example.shop.OrderService"


class TestATimeoutAndRetries:
    def test_become_those_of_routes(self, tmp_path: Path) -> None:
        found = convert("config_timeout_retries", tmp_path)
        first = found.routes[0]
        assert first["match"][0]["uri"] == {"prefix": f"{SERVICE}/"}
        assert first["retries"]["attempts"] == 2
        assert _seconds(first["retries"]["perTryTimeout"]) == 1.5
        assert _seconds(first["timeout"]) >= 4.5
        assert {"reset", "gateway-error"} & {*first["retries"]["retryOn"].split(",")}

    def test_are_said_to_differ(self, tmp_path: Path) -> None:
        found = convert("config_timeout_retries", tmp_path)
        assert "attempt" in found.said(8)
        assert "twice" in found.said(9) or "again" in found.said(9)


def test_a_weight_is_of_each_instance(tmp_path: Path) -> None:
    found = convert("config_provider_weight", tmp_path)
    lines = str(found.document["statements"]).lower()
    assert "instance" in lines
    assert "warm" in lines


def test_everything_else_is_named(tmp_path: Path) -> None:
    found = convert("config_everything_else", tmp_path)
    (telemetry,) = found.of_kind("Telemetry")
    assert telemetry["spec"]["accessLogging"][0]["match"]["mode"] == "SERVER"
    said = found.said(7)
    for name in ("threads", "executes", "dispatcher"):
        assert name in said
    assert found.verdict(9) == "cannot"
    assert "mock" in found.said(9)
    assert "actives" in found.said(9)
    assert any("enabled" in each["text"] for each in found.document["statements"] if each["line"] == 11)


def _seconds(duration: str) -> float:
    return float(duration[:-2]) / 1000 if duration.endswith("ms") else float(duration.removesuffix("s"))
