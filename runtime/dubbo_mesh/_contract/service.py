"""What a generated module knows about its services."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from .envoy_headers import EnvoyHeaders
from .errors import ConfigurationError
from .target import DEFAULT_PORT, Target

if TYPE_CHECKING:
    from google.protobuf.message import Message

API_VERSIONS = range(1, 2)
"""The versions of the generated-code API that this runtime serves: what generated modules may use of it."""

_NOTHING_ASKED = EnvoyHeaders()


def require_api(version: int, module: str) -> None:
    """Called by each generated module: does this runtime serve the API that the module was generated for?

    Raises:
        ImportError: it does not; the message says what to upgrade.
    """
    if version in API_VERSIONS:
        return
    newest = API_VERSIONS[-1]
    if version > newest:
        remedy = "pip install --upgrade dubbo-mesh"
    else:
        remedy = "generate the module anew with a current protoc-gen-dubbo-mesh"
    raise ImportError(
        f"{module} was generated for version {version} of dubbo-mesh's API, but the installed one serves "
        f"{API_VERSIONS[0]} to {newest}: {remedy}",
        name=module,
    )


@dataclass(frozen=True, slots=True)
class Method:
    """One rpc of a service.

    Attributes:
        path: the HTTP/2 `:path`, `/package.Service/rpc`.
        request_type, response_type: the message classes.
        attribute: the rpc's name in Python, where that differs from the proto's (`class_` for `class`).
        client_streaming, server_streaming: its shape.
        envoy: what the proto, the plugin's configuration or the gRPC service config asks of Envoy for it.
    """

    path: str
    request_type: type[Message]
    response_type: type[Message]
    attribute: str = ""
    client_streaming: bool = False
    server_streaming: bool = False
    envoy: EnvoyHeaders = _NOTHING_ASKED

    def __post_init__(self) -> None:
        if not self.attribute:
            object.__setattr__(self, "attribute", self.name)

    @property
    def name(self) -> str:
        """The rpc's name in the proto."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True, init=False, eq=False)
class Service:
    """A service, with its identity in the mesh as far as the proto and the plugin's configuration tell it.

    Attributes:
        name: the full name in protobuf, `package.Service`; Dubbo's interface.
        app: the application that provides it: its Kubernetes Service. None where nothing said it.
        namespace: that Service's namespace; None for the pod's own.
        port: that Service's port.
        version, group: Dubbo's; None where not configured.
        methods: its rpcs by their names in the proto.
    """

    name: str
    app: str | None
    namespace: str | None
    port: int
    version: str | None
    group: str | None
    methods: Mapping[str, Method]

    def __init__(
        self,
        name: str,
        *methods: Method,
        app: str | None = None,
        namespace: str | None = None,
        port: int = DEFAULT_PORT,
        version: str | None = None,
        group: str | None = None,
    ) -> None:
        """Stores what the generated module says; the plugin has checked it."""
        put = object.__setattr__
        put(self, "name", name)
        put(self, "app", app)
        put(self, "namespace", namespace)
        put(self, "port", port)
        put(self, "version", version)
        put(self, "group", group)
        put(self, "methods", MappingProxyType({method.name: method for method in methods}))

    @property
    def key(self) -> str:
        """Dubbo's service key: `[group/]interface[:version]`."""
        group = f"{self.group}/" if self.group else ""
        version = f":{self.version}" if self.version else ""
        return f"{group}{self.name}{version}"

    def target(self) -> Target:
        """Where the service is in the mesh.

        Raises:
            ConfigurationError: nothing says which app provides it.
        """
        if self.app is None:
            raise ConfigurationError(
                f"no app is known that provides {self.name}: set option (dubbo_mesh.v1.service).app in the "
                f"proto, the plugin's app= or config=, or pass target=dubbo_mesh.Target(...) to the stub"
            )
        return Target(self.app, self.namespace, self.port)
