"""What the routes that a project writes do, as `explain` tells it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.explain.explaining import FILES, Explaining

HEDGED = (
    "    option (dubbo_mesh.v1.method).retry.attempts = 1;\n",
    "    option (dubbo_mesh.v1.method).retry = { attempts: 3 on: RESET };\n"
    "    option (dubbo_mesh.v1.method).per_try_timeout = { seconds: 1 };\n"
    "    option (dubbo_mesh.v1.method).hedge_on_per_try_timeout = true;\n",
)


class TestEmittedRoutes:
    """Beside what stubs ask for."""

    def emitting(self, explain: Explaining, options: str) -> dict[str, Any]:
        explain.write({"pyproject.toml": FILES["pyproject.toml"] + options})
        services = explain.json()["services"]
        orders = services["explained.v1.Orders"]["rpcs"]
        assert services["explained.v1.Stock"]["rpcs"]["Count"]["emitted"] is None, "it has no app"
        return {name: rpc["emitted"] for name, rpc in orders.items()}

    def test_with_headers_they_only_turn_retries_off(self, explain: Explaining) -> None:
        emitted = self.emitting(explain, 'emit = ["python", "istio"]\n')
        place = emitted["Place"]
        assert place["by_default"]["max_retries"] == 0
        assert place["by_default"]["timeout"] == 3, "the deadline"
        assert place["if_obeyed"]["timeout"] == 3.1
        track = emitted["Track"]
        assert track["by_default"]["retry_on"] == []
        assert (track["if_obeyed"]["max_retries"], track["if_obeyed"]["retry_on"]) == (3, ["unavailable"])
        assert emitted["Find"]["by_default"]["max_retries"] == 2, "an idempotent rpc is left to Istio"
        text = explain.text("Orders/Place")
        assert "emitted routes   timeout 3 s (the deadline); no retries" in text
        assert "unless the\n                   emitted routes are applied: by Istio" in text

    def test_with_routes_they_do_what_is_configured(self, explain: Explaining) -> None:
        emitted = self.emitting(explain, 'policy = "routes"\n')
        assert all(rpc["by_default"] == rpc["if_obeyed"] for rpc in emitted.values())
        assert emitted["Track"]["by_default"]["max_retries"] == 3
        assert emitted["Find"]["by_default"]["per_try_timeout"] is None, "it is a stream"

    @pytest.mark.parametrize("emit", ["python", "kubernetes"])
    def test_without_routes_there_are_none(self, emit: str, explain: Explaining) -> None:
        assert set(self.emitting(explain, f'emit = "{emit}"\n').values()) == {None}

    def test_static_envoys_make_no_retries_by_themselves(self, explain: Explaining) -> None:
        emitted = self.emitting(explain, 'emit = "envoy"\n')
        assert emitted["Find"]["by_default"]["max_retries"] == 0

    @pytest.mark.parametrize(("emit", "hedges"), [("istio", False), ("istio+envoy", False), ("envoy", True)])
    def test_istios_do_not_hedge(self, emit: str, hedges: bool, explain: Explaining) -> None:
        proto = FILES["protos/orders.proto"]
        assert HEDGED[0] in proto
        explain.write({"protos/orders.proto": proto.replace(*HEDGED)})
        emitted = self.emitting(explain, f'policy = "routes"\nemit = "{emit}"\n')
        assert emitted["Place"]["by_default"]["hedges"] == hedges


def test_routes_of_the_gateway_api_have_timeouts_and_no_retries(explain: Explaining) -> None:
    """Unless Istio's are written too, which have them."""

    def handled(emit: str) -> tuple[float, int]:
        settings = f'{FILES["pyproject.toml"]}policy = "routes"\nemit = "{emit}"\n'
        explain.write({"pyproject.toml": settings})
        place = explain.json()["services"]["explained.v1.Orders"]["rpcs"]["Place"]["emitted"]["by_default"]
        return place["timeout"], place["max_retries"]

    assert handled("gateway") == (3.0, 2)
    assert handled("gateway+istio") == (3.0, 0)
