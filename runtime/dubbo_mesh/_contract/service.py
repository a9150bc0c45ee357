"""Descriptions of services: what a generated module tells the runtime.

Generated modules name the version of this API that they were made for (`require_api`). Version 2 added
`Method.aliases` and `Service.descriptor`; modules of version 1 are still served.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from .envoy_headers import EnvoyHeaders, suppress_warnings_in
from .errors import ConfigurationError
from .target import DEFAULT_PORT, Target

if TYPE_CHECKING:
    from google.protobuf.descriptor import FileDescriptor
    from google.protobuf.message import Message

API_VERSIONS = range(1, 3)
"""The API versions of generated modules that this runtime supports."""

_NO_HEADERS = EnvoyHeaders()


def require_api(version: int, module: str) -> None:
    """Checks that this runtime supports a generated module; each one calls this when it is imported.

    Args:
        version: the API version that the module was generated for.
        module: the module's name.

    Raises:
        ImportError: this runtime does not support the version. The message says what to upgrade.
    """
    if version in API_VERSIONS:
        suppress_warnings_in(module)
        return
    newest = API_VERSIONS[-1]
    if version > newest:
        remedy = "pip install --upgrade dubbo-mesh"
    else:
        remedy = "regenerate the module with a current protoc-gen-dubbo-mesh"
    raise ImportError(
        f"{module} was generated for API version {version} of dubbo-mesh, but the installed version supports "
        f"{API_VERSIONS[0]} to {newest}: {remedy}",
        name=module,
    )


@dataclass(frozen=True, slots=True)
class Method:
    """One rpc of a service.

    Attributes:
        path: the HTTP/2 `:path`, `/package.Service/rpc`.
        request_type, response_type: the message classes.
        attribute: the rpc's name in Python; differs from the proto's where that is a keyword (`class_`).
        client_streaming, server_streaming: whether requests and responses are streams.
        envoy: its Envoy headers, as configured in the proto, the plugin's config or a gRPC service config.
        aliases: further rpc names that servers answer as this one. Empty unless the `aliases` option asks
            for some: authorization policies match the path, so each alias needs to be covered by them too.
    """

    path: str
    request_type: type[Message]
    response_type: type[Message]
    attribute: str = ""
    client_streaming: bool = False
    server_streaming: bool = False
    envoy: EnvoyHeaders = _NO_HEADERS
    aliases: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.attribute:
            object.__setattr__(self, "attribute", self.name)

    @property
    def name(self) -> str:
        """The rpc's name in the proto."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True, init=False, eq=False)
class Service:
    """A service and its identity in the mesh, as configured in the proto or for the plugin.

    Attributes:
        name: the full name in protobuf, `package.Service`; Dubbo's interface.
        app: the application that provides it: the name of its Kubernetes Service. None means unset.
        namespace: the namespace of that Kubernetes Service. None means the caller's own.
        port: the port of that Kubernetes Service.
        version, group: Dubbo's version and group. None means unset.
        methods: its rpcs, by their names in the proto.
        descriptor: the proto file that defines it, for server reflection. None in modules that were
            generated for API version 1.
    """

    name: str
    app: str | None
    namespace: str | None
    port: int
    version: str | None
    group: str | None
    methods: Mapping[str, Method]
    descriptor: FileDescriptor | None = field(repr=False)

    def __init__(
        self,
        name: str,
        *methods: Method,
        app: str | None = None,
        namespace: str | None = None,
        port: int = DEFAULT_PORT,
        version: str | None = None,
        group: str | None = None,
        descriptor: FileDescriptor | None = None,
    ) -> None:
        """Stores the arguments as they are: the plugin has checked them."""
        put = object.__setattr__
        put(self, "name", name)
        put(self, "app", app)
        put(self, "namespace", namespace)
        put(self, "port", port)
        put(self, "version", version)
        put(self, "group", group)
        put(self, "methods", MappingProxyType({method.name: method for method in methods}))
        put(self, "descriptor", descriptor)

    @property
    def key(self) -> str:
        """Dubbo's service key: `[group/]interface[:version]`."""
        group = f"{self.group}/" if self.group else ""
        version = f":{self.version}" if self.version else ""
        return f"{group}{self.name}{version}"

    def with_identity(self, *, version: str | None = None, group: str | None = None) -> Service:
        """The same service in another version or group, as the `__mesh__` of a servicer or stub of it.

        Args:
            version: Dubbo's version. None means unset, whatever it is here.
            group: Dubbo's group. The same goes for it.
        """
        return Service(
            self.name,
            *self.methods.values(),
            app=self.app,
            namespace=self.namespace,
            port=self.port,
            version=version,
            group=group,
            descriptor=self.descriptor,
        )

    def target(self) -> Target:
        """The service's address in the mesh.

        Raises:
            ConfigurationError: `app` is unset.
        """
        if self.app is None:
            raise ConfigurationError(
                f"no app is known that provides {self.name}: set option (dubbo_mesh.v1.service).app in the "
                f"proto, the plugin's app= or config=, or pass target=dubbo_mesh.Target(...) to the stub"
            )
        return Target(self.app, self.namespace, self.port)
