"""Where a service is in the mesh: `http://{app}.{namespace}.svc.{domain}:{port}`."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass, field

from .errors import ConfigurationError
from .logs import logger
from .validation import check_domain, check_label, check_port

_log = logger(__name__)

DEFAULT_NAMESPACE = "default"
DEFAULT_CLUSTER_DOMAIN = "cluster.local"
DEFAULT_PORT = 80


@dataclass(frozen=True, slots=True)
class Target:
    """The mesh address of a provider: a Kubernetes Service, as Dubbo's mesh mode resolves it.

    What is left out is filled in when the target is created, with Dubbo Java's precedence
    (`ReferenceConfig.meshModeHandleUrl`).

    Attributes:
        app: the provider's application name, which is the name of its Kubernetes Service.
        namespace: its namespace; by default `POD_NAMESPACE`, or `default` (with a warning in the log when
            the address is used).
        port: the Service's port.
        cluster_domain: the cluster's DNS domain; by default `CLUSTER_DOMAIN`, or `cluster.local`.

    Raises:
        ValueError: a name is not a DNS label (RFC 1123), the domain is not a DNS name, or the port is not
            a port. For a variable of the environment it is a ConfigurationError, which is a ValueError.
    """

    app: str
    namespace: str | None = None
    port: int = DEFAULT_PORT
    cluster_domain: str | None = None
    _by_default: bool = field(default=False, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_label("app", self.app)
        if self.namespace is not None:
            check_label("namespace", self.namespace)
        else:
            namespace = _from_environment("POD_NAMESPACE", check_label)
            object.__setattr__(self, "namespace", namespace or DEFAULT_NAMESPACE)
            object.__setattr__(self, "_by_default", namespace is None)
        check_port("port", self.port)
        if self.cluster_domain is not None:
            domain = check_domain("cluster_domain", self.cluster_domain)
        else:
            domain = _from_environment("CLUSTER_DOMAIN", check_domain) or DEFAULT_CLUSTER_DOMAIN
        object.__setattr__(self, "cluster_domain", domain)

    @property
    def host(self) -> str:
        """The Service's DNS name, without a trailing dot: `demo.default.svc.cluster.local`."""
        if self._by_default:  # not before: in direct mode nobody asks
            _warn_of_default_namespace(self.app)
        return f"{self.app}.{self.namespace}.svc.{self.cluster_domain}"

    @property
    def authority(self) -> str:
        """The `:authority` that Envoy's virtual host matches: `demo.default.svc.cluster.local:50051`."""
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The address in the proposal's form: `http://demo.default.svc.cluster.local:50051`."""
        return f"http://{self.authority}"

    def __str__(self) -> str:
        return self.authority


def _from_environment(variable: str, check: Callable[[str, str], str]) -> str | None:
    value = os.environ.get(variable)
    try:
        return check(f"{variable}:", value) if value else None
    except ValueError as error:
        raise ConfigurationError(str(error)) from None


@functools.cache  # so that it warns once for each app
def _warn_of_default_namespace(app: str) -> None:
    _log.warning(
        "no namespace is known for app %r: using %r. Set it in the proto, in the plugin's options, or let "
        "the pod's spec set POD_NAMESPACE from metadata.namespace",
        app,
        DEFAULT_NAMESPACE,
    )
