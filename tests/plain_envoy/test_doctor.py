"""The doctor beside an Envoy on emitted files: nothing is wrong, and rpcs get what their proto asks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.doctor.running import run, with_modules
from tests.generator import compiling
from tests.plain_envoy.emitted import HERE, PROTO, Emitted

SAID = {
    "headers": {
        "Cook": "400 ms (asked, counts), no retries",
        "Order": "5 s (asked, counts), up to 2 retries on unavailable (asked, counts)",
        "Grill": "5 s (asked, counts), 200 ms for each attempt (asked, counts), "
        "1 retry on reset (asked, counts)",
        "Toast": "5 s (asked, counts), another attempt beside it after 200 ms (asked, counts), "
        "1 retry on unavailable (asked, counts)",
        "Seat": "5 s (asked, counts), 1 retry on retriable-headers (asked, counts)",
        "Follow": "400 ms (asked, counts), no retries",
        "Watch": "400 ms (asked, counts), "
        "at most 400 ms for each attempt (max_stream_duration: asked, counts), no retries",
    },
    "routes": {
        "Cook": "400 ms (the deadline; 400 ms in the route), no retries",
        "Order": "5 s (the deadline; 5 s in the route), up to 2 retries on unavailable (route)",
        "Grill": "5 s (the deadline; 5 s in the route), 200 ms for each attempt (route), "
        "1 retry on reset (route)",
        "Follow": "400 ms (the deadline; no timeout in the route), no retries",
    },
}


CHECKS = {"listener", "headers", "route", "rpc", "timeout", "retries"}
"""All but those of hosts: nobody is there to be called."""


@pytest.mark.parametrize("policy", SAID)
def test_nothing_is_wrong(policy: str, tmp_path: Path) -> None:
    emitted = Emitted(tmp_path, f"policy={policy}")
    compiling.protoc(HERE, f"--python_out={tmp_path}", PROTO)
    with emitted.envoy("consumer"):
        _, findings = run("cafe_mesh", variables=emitted.variables("consumer") | with_modules(tmp_path))
    emitted.close()
    found = [each for each in findings if each["check"] in CHECKS]
    assert [each for each in found if each["status"] not in ("ok", "skipped")] == []
    said = {
        each["subject"].rpartition("/")[2]: each["finding"].partition(": ")[2]
        for each in found
        if each["check"] == "rpc" and each["subject"].startswith("cafe.Orders/")
    }
    assert {rpc: said.get(rpc) for rpc in SAID[policy]} == SAID[policy]
