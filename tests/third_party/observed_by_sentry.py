"""A process with Sentry's integration for gRPC, which patches grpc for good: writes what Sentry is told.

    python -m tests.third_party.observed_by_sentry plain|added|ours sync|aio

Calls each rpc in each way. Writes a JSON object: how calls ended, and the errors and transactions of Sentry.
"""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any, cast

from tests.third_party.servers import SHAPES, Server, call, serving

TEXTS = ("fine", "abort", "broken")


def main(server: Server, kind: str) -> None:
    sentry: Any = importlib.import_module("sentry_sdk")  # which pyright does not take as typed
    integration: Any = importlib.import_module("sentry_sdk.integrations.grpc").GRPCIntegration()
    base: Any = importlib.import_module("sentry_sdk.transport").Transport
    envelopes: list[Any] = []

    class Kept(base):  # type: ignore[misc]
        """Keeps what would be sent."""

        def capture_envelope(self, envelope: Any) -> None:
            envelopes.append(envelope)

    sentry.init(
        dsn="http://key@localhost/1", transport=Kept, traces_sample_rate=1.0, integrations=[integration]
    )
    with serving(server, kind) as address:
        ended = {
            f"{shape} {text}": (responses, code.name, details)
            for shape in SHAPES
            for text in TEXTS
            for responses, code, details in [call(address, shape, text)]
        }
    sentry.flush()
    errors = [envelope.get_event() for envelope in envelopes]
    transactions = [envelope.get_transaction_event() for envelope in envelopes]
    told = {
        "ended": ended,
        "errors": [
            (each["type"], each["value"])
            for event in errors
            if event is not None
            for each in event["exception"]["values"]
        ],
        "transactions": [
            each["transaction"]
            for each in transactions
            if each is not None and each["contexts"]["trace"]["op"] == "grpc.server"
        ],
    }
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(cast("Server", sys.argv[1]), sys.argv[2])
