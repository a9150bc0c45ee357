"""Checks of the names that become DNS names, authorities and header values."""

import re

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_HOST_PORT = re.compile(r"(?:\[[0-9A-Fa-f:.%]+\]|[^\s:/\[\],=@]+):(?P<port>[0-9]{1,5})")
_PRINTABLE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_LONGEST_DNS_NAME = 253
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")


def check_label(what: str, value: str) -> str:
    """Returns `value` if it is a DNS label (RFC 1123, as Kubernetes has it for names).

    Raises:
        ValueError: it is not; the message begins with `what`.
    """
    if not isinstance(value, str) or not _LABEL.fullmatch(value):
        raise ValueError(
            f"{what} {value!r} is not a DNS label (RFC 1123): lower-case letters, digits and '-', at most 63"
        )
    return value


def check_domain(what: str, value: str) -> str:
    """Returns `value`, a DNS name, without a trailing dot.

    Raises:
        ValueError: it is empty or holds something else than DNS labels; the message begins with `what`.
    """
    domain = value[:-1] if value.endswith(".") else value
    if not domain:
        raise ValueError(f"{what} is empty: leave it out for 'cluster.local'")
    if len(domain) > _LONGEST_DNS_NAME or not all(map(_LABEL.fullmatch, domain.split("."))):
        raise ValueError(f"{what} {value!r} is not a DNS name (RFC 1123)")
    return domain


def check_port(what: str, value: int) -> int:
    """Returns `value` if it can be a TCP port.

    Raises:
        ValueError: it is not a whole number from 1 to 65535; the message begins with `what`.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 65536:
        raise ValueError(f"{what} {value!r} is not a port: a whole number from 1 to 65535")
    return value


def check_host_port(what: str, value: str) -> str:
    """Returns `value` if it has the form `host:port`, `1.2.3.4:port` or `[::1]:port`.

    Raises:
        ValueError: it has not; the message begins with `what`.
    """
    match = _HOST_PORT.fullmatch(value)
    if match is None:
        raise ValueError(f"{what} {value!r} is not of the form host:port")
    check_port(f"{what} {value!r}: port", int(match["port"]))
    return value


def check_header_value(what: str, value: str) -> str:
    """Returns `value` if it can be the value of an HTTP/2 header: printable ASCII, no space at either end.

    Raises:
        ValueError: it cannot; the message begins with `what`.
    """
    if not isinstance(value, str) or not _PRINTABLE.fullmatch(value):
        raise ValueError(f"{what} {value!r} cannot be a header's value: printable ASCII, not empty")
    return value


def printable(text: str, limit: int = 128) -> str:
    """`text` from a peer, made safe for a log line or a status message.

    Whatever is not printable ASCII is escaped, and what is longer than `limit` characters is cut short.
    """
    shown = _UNPRINTABLE.sub(lambda match: ascii(match[0])[1:-1], text[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - 3] + "..."
