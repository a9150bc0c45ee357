"""What a stub sends with a call that is made without arguments.

The decisions are those of `dubbo_mesh._calling.plan`; `tests/explain/test_sending.py` compares the two.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from dubbo_mesh._contract.envoy_headers import TIMEOUT_HEADER, EnvoyHeaders, suppress_warnings_in

from .model import Sent

if TYPE_CHECKING:
    from ..policy.model import Identity, RpcPolicy

_SLACK_MS = 100
"""The time that Envoy gets in addition to a deadline, so that the caller's own timer fires first."""

suppress_warnings_in(__name__)  # the policy has its own, with the place in the proto


def sent(identity: Identity, rpc: RpcPolicy) -> Sent:
    """What a stub sends with a call of `rpc`, which belongs to a service with that identity."""
    envoy = EnvoyHeaders(**rpc.headers)
    deadline = envoy.timeout or None
    headers = [
        (f"tri-service-{name}", value)
        for name, value in (("version", identity.version), ("group", identity.group))
        if value is not None
    ]
    headers += [pair for pair in envoy.to_metadata() if pair[0] != TIMEOUT_HEADER]
    if not envoy.inherit_timeout:
        if deadline is not None:
            headers.append((TIMEOUT_HEADER, str(math.ceil(deadline * 1000) + _SLACK_MS)))
        elif rpc.client_streaming or rpc.server_streaming or envoy.timeout == 0:
            headers.append((TIMEOUT_HEADER, "0"))
    return Sent(deadline, tuple(headers))
