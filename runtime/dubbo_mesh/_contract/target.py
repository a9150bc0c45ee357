"""Where a service is in the mesh: `http://{app}.{namespace}.svc.{domain}:{port}`."""

from __future__ import annotations

import functools
import logging
import os
from dataclasses import dataclass

from .validation import check_domain, check_label, check_port

_log = logging.getLogger("dubbo_mesh")

DEFAULT_NAMESPACE = "default"
DEFAULT_CLUSTER_DOMAIN = "cluster.local"
DEFAULT_PORT = 80


@dataclass(frozen=True, slots=True)
class Target:
    """The mesh address of a provider: a Kubernetes Service, as Dubbo's mesh mode resolves it.

    What is left out is filled in when the target is made, with Dubbo Java's precedence
    (`ReferenceConfig.meshModeHandleUrl`).

    Attributes:
        app: the provider's application name, which is its Kubernetes Service.
        namespace: its namespace; if left out `POD_NAMESPACE`, else `default` (and a warning in the log).
        port: the Service's port.
        cluster_domain: the cluster's DNS domain; if left out `CLUSTER_DOMAIN`, else `cluster.local`.

    Raises:
        ValueError: a name is no DNS label (RFC 1123), the domain is no DNS name, or the port is none.
    """

    app: str
    namespace: str | None = None
    port: int = DEFAULT_PORT
    cluster_domain: str | None = None

    def __post_init__(self) -> None:
        check_label("app", self.app)
        if self.namespace is not None:
            check_label("namespace", self.namespace)
        else:
            namespace = os.environ.get("POD_NAMESPACE")
            if namespace:
                check_label("POD_NAMESPACE:", namespace)
            else:
                namespace = _default_namespace(self.app)
            object.__setattr__(self, "namespace", namespace)
        check_port("port", self.port)
        if self.cluster_domain is not None:
            domain = check_domain("cluster_domain", self.cluster_domain)
        elif domain := os.environ.get("CLUSTER_DOMAIN", ""):
            domain = check_domain("CLUSTER_DOMAIN:", domain)
        else:
            domain = DEFAULT_CLUSTER_DOMAIN
        object.__setattr__(self, "cluster_domain", domain)

    @property
    def host(self) -> str:
        """The Service's DNS name, without a trailing dot: `demo.default.svc.cluster.local`."""
        return f"{self.app}.{self.namespace}.svc.{self.cluster_domain}"

    @property
    def authority(self) -> str:
        """What `:authority` says and Envoy's virtual host matches: `demo.default.svc.cluster.local:50051`."""
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The address in the proposal's form: `http://demo.default.svc.cluster.local:50051`."""
        return f"http://{self.authority}"

    def __str__(self) -> str:
        return self.authority


@functools.cache  # once for each app is enough of a warning
def _default_namespace(app: str) -> str:
    _log.warning(
        "no namespace is known for app %r: using %r. Set it in the proto, in the plugin's options, or let "
        "the pod's spec set POD_NAMESPACE from metadata.namespace",
        app,
        DEFAULT_NAMESPACE,
    )
    return DEFAULT_NAMESPACE
