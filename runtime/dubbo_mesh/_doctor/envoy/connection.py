"""A connection as an Envoy gets it."""

from __future__ import annotations

from dataclasses import dataclass

from .addresses import parsed


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection that this process opens to make calls, in plaintext.

    Attributes:
        host: the address that it is opened to; None if it is not known (a name could not be resolved).
        port: the port that it is opened to.
        source: the address that it comes from; None if it is not known.
        intercepted: whether it is opened to the provider, for the sidecar to intercept, and not to a
            listener of the sidecar's.
    """

    host: str | None
    port: int
    source: str | None = None
    intercepted: bool = False

    @property
    def stays_here(self) -> bool:
        """Whether it is opened to an address of this host, so that both ends see the same network."""
        if self.host is None:
            return False
        host = parsed(self.host)
        return self.host == self.source or (host is not None and host.is_loopback)
