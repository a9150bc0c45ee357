"""A static Envoy as its template prints it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..mesh.model import App


class Address(NamedTuple):
    """Where something listens.

    Attributes:
        host: an IP address, or a host name.
        port: the port.
    """

    host: str
    port: int

    @property
    def is_any(self) -> bool:
        """Whether it is all IPv6 addresses, with which Linux can include all IPv4 addresses."""
        return self.host == "::"

    def __str__(self) -> str:
        """`host:port`, as in environment variables."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Range(NamedTuple):
    """A range of IP addresses.

    Attributes:
        prefix: its first address.
        length: the number of bits that its addresses have in common.
    """

    prefix: str
    length: int


class RetryPolicy(NamedTuple):
    """When a route retries.

    Attributes:
        on: Envoy's conditions, separated by commas; empty for none.
        number: of retries, if there are conditions.
        per_try_timeout: of each attempt; empty for none.
        status_codes: HTTP status codes to retry on.
        header_names: response headers to retry on.
        note: where the conditions and the number were set.
        per_try_timeout_note: where the timeout of attempts was set.
    """

    on: str
    number: int
    per_try_timeout: str
    status_codes: tuple[int, ...]
    header_names: tuple[str, ...]
    note: str
    per_try_timeout_note: str


class Route(NamedTuple):
    """A route of a virtual host.

    Attributes:
        name: shown in access logs.
        match: the kind of match, `path` or `prefix`.
        path: what it matches.
        timeout: of the whole call; `0s` for none.
        timeout_note: where it was set.
        retry: None for no retries, and no timeout of attempts.
        hedges: whether a slow attempt goes on beside the next one.
        hedges_note: where that was set.
        stream_duration: how long a stream may last; empty for any time.
        stream_duration_note: where it was set.
    """

    name: str
    match: str
    path: str
    timeout: str
    timeout_note: str
    retry: RetryPolicy | None = None
    hedges: bool = False
    hedges_note: str = ""
    stream_duration: str = ""
    stream_duration_note: str = ""


class Destination(NamedTuple):
    """A port of an application, as its callers have it: a virtual host and a cluster.

    Attributes:
        name: of both.
        about: what it is.
        domains: the authorities of the virtual host.
        routes: its routes.
        endpoints: the addresses of the Envoys beside the instances.
        is_dns: whether the endpoints are host names.
    """

    name: str
    about: str
    domains: tuple[str, ...]
    routes: tuple[Route, ...]
    endpoints: tuple[Address, ...]
    is_dns: bool


class Inbound(NamedTuple):
    """A port of an application, as its own Envoy has it: a listener and a cluster.

    Attributes:
        name: of both.
        about: what it is.
        listen: where Envoy listens.
        server: where the application's server does.
        is_dns: whether that is a host name.
    """

    name: str
    about: str
    listen: Address
    server: Address
    is_dns: bool


class Outbound(NamedTuple):
    """The listener for the calls that an application makes.

    Attributes:
        listen: where Envoy listens.
        destinations: what can be called.
    """

    listen: Address
    destinations: tuple[Destination, ...]


class Bootstrap(NamedTuple):
    """One Envoy.

    Attributes:
        sources: the protos that it follows from.
        about: what it is for and how to start it: a comment of several lines.
        node, cluster: its identity: of the instance, of the application.
        admin: where its admin endpoint listens.
        inbound: for the calls to the application, by port.
        outbound: for the calls that it makes; None if it makes none.
        internal: the addresses from which its application's calls count as internal; none if they do not.
        dns_family: the addresses that host names are resolved to, by Envoy's names.
    """

    sources: str
    about: str
    node: str
    cluster: str
    admin: Address
    inbound: tuple[Inbound, ...]
    outbound: Outbound | None
    internal: tuple[Range, ...]
    dns_family: str


class Instance(NamedTuple):
    """Where an instance of an application, or a consumer, and the Envoy beside it are.

    Attributes:
        path: of its files, without `.yaml` and `.env`.
        node: the name of the instance.
        app: the application; None for a consumer, which is none of them.
        admin: where the Envoy's admin endpoint listens.
        outbound: where the Envoy listens for the calls that it makes.
        inbound: where the Envoy listens for calls to it, by port.
        servers: where its server listens, by port.
        beside: the host name of the Envoy, as the application has it; empty for the same.
        environment: further variables of the application's.
        about: what its Envoy is for and how to start it.
    """

    path: str
    node: str
    app: App | None
    admin: Address
    outbound: Address
    inbound: tuple[Address, ...]
    servers: tuple[Address, ...]
    beside: str
    environment: tuple[tuple[str, str], ...]
    about: str


class Site(NamedTuple):
    """A place where all applications run.

    Attributes:
        instances: of all applications, and the consumer.
        endpoints: where the Envoys beside the instances of an application are called: by its stem, then by
            port.
        is_dns: whether those are host names.
        internal: the addresses whose requests may count as internal.
    """

    instances: tuple[Instance, ...]
    endpoints: Mapping[str, tuple[tuple[Address, ...], ...]]
    is_dns: bool
    internal: tuple[Range, ...]
