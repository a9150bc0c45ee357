"""The parameters that configure services and rpcs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from ..errors import GenerationError
from .model import Identity
from .provenance import Known, Layer, Origin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .model import Labels

NAMES = (
    *("app", "namespace", "port", "version", "group", "labels", "aliases"),
    *("config", "service_config", "policy"),
)
ENFORCERS = ("headers", "routes")
"""Who enforces timeouts and retries. The first is the default."""


HELP = """\
  app=NAME                the application that provides the services: its Kubernetes Service
  namespace=NAME          that Service's namespace; default: the caller's own
  port=NUMBER             that Service's port, 1-65535; default: 80
  version=TEXT            Dubbo's version of the services
  group=TEXT              Dubbo's group of the services
  labels=KEY=VALUE+...    labels of the app's pods
  aliases=lower-first     serve each rpc under its lower-first name too (sayHello for SayHello), as Dubbo
                          Java's consumers call it without a generated stub; default: no aliases.
                          Authorization policies by path must then name both paths
  config=FILE             TOML that sets all of this, timeouts and retries, per service or glob and
                          per method; takes precedence over options in the proto
  service_config=FILE     a gRPC service config (JSON): its timeout and retryPolicy become Envoy's
  policy=headers|routes   who enforces timeouts and retries: Envoy's headers that stubs send (default), or
                          the routes that are emitted; stubs then only send deadlines
"""


class PolicyParameters(NamedTuple):
    """The parameters that configure services and rpcs, checked.

    Attributes:
        identity: where the provider of services is found, unless the proto or the config file sets it.
        config: the path of a config file.
        service_config: the path of a gRPC service config.
        policy: who enforces timeouts and retries, one of `ENFORCERS`.
    """

    identity: Identity = Identity()
    config: str | None = None
    service_config: str | None = None
    policy: str = ENFORCERS[0]

    @property
    def layer(self) -> Layer[Identity]:
        """What they set for every service."""
        return Layer(self.identity, _PLACE)


_PLACE = Known(Origin("parameter"))


def parse(given: Mapping[str, str]) -> PolicyParameters:
    """Reads the parameters in `given` that are in `NAMES`.

    Raises:
        GenerationError: one is malformed.
    """
    try:
        identity = Identity(
            app=given.get("app"),
            namespace=given.get("namespace"),
            port=_port(given.get("port")),
            version=given.get("version"),
            group=given.get("group"),
            labels=_labels(given.get("labels")),
            aliases=_aliases(given.get("aliases")),
        ).checked("parameter ")
    except ValueError as error:
        raise GenerationError(str(error)) from error
    policy = given.get("policy", ENFORCERS[0])
    if policy not in ENFORCERS:
        raise GenerationError(f"parameter policy must be one of {', '.join(ENFORCERS)}, not {policy!r}")
    return PolicyParameters(identity, given.get("config"), given.get("service_config"), policy)


def several(name: str, value: str) -> tuple[str, ...]:
    """The values of a parameter that takes several, with `+` between them.

    Raises:
        GenerationError: one of them is there twice.
    """
    values = tuple(value.split("+"))
    for one in values:
        if values.count(one) > 1:
            raise GenerationError(f"parameter {name} names {one} twice: remove one")
    return values


def _port(value: str | None) -> int | None:
    if value is None:
        return None
    if not re.fullmatch(r"[0-9]{1,5}", value):
        raise ValueError(f"parameter port must be an integer from 1 to 65535, not {value!r}")
    return int(value)


def _labels(value: str | None) -> Labels | None:
    if value is None:
        return None
    from . import labels

    found: dict[str, str] = {}
    for label in several("labels", value):
        key, equals, text = label.partition("=")
        if not equals:
            raise ValueError(f"parameter labels must be KEY=VALUE, with + between several, not {value!r}")
        if key in found:
            raise ValueError(f"parameter labels sets {key} twice: {found[key]!r}, {text!r}")
        found[key] = text
    return labels.checked(found, "parameter labels")


def _aliases(value: str | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    from . import aliases

    return aliases.checked(several("aliases", value), "parameter aliases")
