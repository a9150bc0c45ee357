"""The resolver's configuration, and how many queries a lookup makes."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

RESOLV_CONF = Path("/etc/resolv.conf")
_MOST_NDOTS = 15  # resolv.conf(5)
_LARGEST = 65536  # bytes


@dataclass(frozen=True, slots=True)
class ResolvConf:
    """What resolv.conf(5) configures.

    Attributes:
        nameservers: addresses of DNS servers.
        search: domains that are appended to names with fewer dots than `ndots`.
        ndots: with so many dots, a name is looked up as it is first.
    """

    nameservers: Sequence[str] = ()
    search: Sequence[str] = ()
    ndots: int = 1

    @classmethod
    def read(cls, file: Path | None = None) -> ResolvConf:
        """Reads a file, by default the one of this host; one that cannot be read counts as empty."""
        try:
            with (file or RESOLV_CONF).open("rb") as opened:
                content = opened.read(_LARGEST).decode("utf-8", "replace")
        except OSError:
            return cls()
        nameservers: list[str] = []
        search: Sequence[str] = ()
        ndots = 1
        for line in content.splitlines():
            keyword, *values = line.split() or [""]
            if keyword == "nameserver" and values:
                nameservers.append(values[0])
            elif keyword in ("search", "domain"):  # the last one counts
                search = tuple(value.rstrip(".") for value in values)
            elif keyword == "options":
                ndots = _ndots(values, ndots)
        # glibc lets these two variables override the file.
        search = tuple(os.environ.get("LOCALDOMAIN", "").split()) or search
        ndots = _ndots(os.environ.get("RES_OPTIONS", "").split(), ndots)
        return cls(nameservers, search, ndots)

    def names_tried(self, name: str) -> list[str]:
        """The names that a lookup of a name without a trailing dot asks for, in order, until one exists."""
        searched = [f"{name}.{domain}." for domain in self.search]
        as_it_is = f"{name}."
        return [as_it_is, *searched] if name.count(".") >= self.ndots else [*searched, as_it_is]

    @property
    def kubernetes(self) -> tuple[str, str] | None:
        """The namespace of this pod and the cluster's domain; None if the search list is not a pod's.

        Kubernetes lists `NAMESPACE.svc.DOMAIN`, `svc.DOMAIN` and `DOMAIN` ("DNS for Services and Pods").
        """
        for domain in self.search:
            match = re.fullmatch(r"([^.]+)\.svc\.(.+)", domain)
            if match is not None and {f"svc.{match[2]}", match[2]} <= set(self.search):
                return match[1], match[2]
        return None


def _ndots(options: Sequence[str], default: int) -> int:
    for option in options:
        match = re.fullmatch("ndots:([0-9]{1,9})", option)
        if match is not None:
            default = min(int(match[1]), _MOST_NDOTS)
    return default
