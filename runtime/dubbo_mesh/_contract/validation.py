"""Checks of the names that become DNS names, authorities and header values."""

import re

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_HOST_PORT = re.compile(r"(?:\[(?P<v6>[^\[\]]+)\]|(?P<host>[^:\[\]]+)):(?P<port>[0-9]{1,5})", re.ASCII)
_HOST_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_HEADER_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_METADATA_NAME = re.compile(r"[0-9a-z_.-]+")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")
_LONGEST_DNS_NAME = 253


def check_label(what: str, value: str) -> str:
    """Returns `value` if it is a DNS label (RFC 1123, which Kubernetes applies to names).

    Raises:
        ValueError: it is not; the message begins with `what`.
    """
    if not isinstance(value, str) or not _LABEL.fullmatch(value):
        raise ValueError(
            f"{what} must be a DNS label (RFC 1123: at most 63 lower-case letters, digits and dashes), "
            f"not {value!r}"
        )
    return value


def check_domain(what: str, value: str) -> str:
    """Returns `value`, a DNS name, without a trailing dot.

    Raises:
        ValueError: it is empty or not made of DNS labels; the message begins with `what`.
    """
    domain = value.removesuffix(".")
    if not domain:
        raise ValueError(f"{what} is empty: leave it out for 'cluster.local'")
    if len(domain) > _LONGEST_DNS_NAME or not all(map(_LABEL.fullmatch, domain.split("."))):
        raise ValueError(f"{what} must be a DNS name (RFC 1123), not {value!r}")
    return domain


def check_port(what: str, value: int) -> int:
    """Returns `value` if it can be a TCP port.

    Raises:
        ValueError: it is not an integer from 1 to 65535; the message begins with `what`.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 65536:
        raise ValueError(f"{what} must be an integer from 1 to 65535, not {value!r}")
    return value


def check_host_port(what: str, value: str, *, any_port: bool = False) -> str:
    """Returns `value` if it has the form `host:port`, `1.2.3.4:port` or `[::1]:port`.

    Args:
        what: the value is called this in messages.
        value: an address.
        any_port: accept port 0, which means any free port to what listens.

    Raises:
        ValueError: it does not, or the host or the port is malformed; the message begins with `what`.
    """
    match = _HOST_PORT.fullmatch(value)
    if match is None:
        raise ValueError(f"{what} must have the form host:port, not {value!r}")
    if match["host"] is None:
        _check_ipv6(f"{what} {value!r}: host", match["v6"])
    else:
        _check_host(f"{what} {value!r}: host", match["host"])
    port = int(match["port"])
    if port or not any_port:
        check_port(f"{what} {value!r}: port", port)
    return value


def host_port(host: str, port: object) -> str:
    """`host:port`, with an address of IPv6 in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _check_host(what: str, host: str) -> None:
    """Accepts IPv4 addresses and host names, in which underscores are common though not allowed in DNS."""
    name = host.removesuffix(".")
    labels = name.split(".")
    if _is_number(labels[-1]):
        if len(labels) != 4 or not all(_is_number(label) and int(label) < 256 for label in labels):
            raise ValueError(f"{what} must be an IPv4 address, not {host!r}")
    elif len(name) > _LONGEST_DNS_NAME or not all(map(_HOST_LABEL.fullmatch, labels)):
        raise ValueError(f"{what} must consist of letters, digits, '-', '_' and dots, not {host!r}")


def _is_number(label: str) -> bool:
    return label.isascii() and label.isdigit()


def _check_ipv6(what: str, address: str) -> None:
    import ipaddress  # only here, to keep the import of what uses this module cheap

    try:
        ipaddress.IPv6Address(address)
    except ValueError:
        raise ValueError(f"{what} must be an IPv6 address, not {address!r}") from None


def check_header_value(what: str, value: str) -> str:
    """Returns `value` if it can be the value of an HTTP/2 header that gRPC sends.

    Raises:
        ValueError: it is not printable ASCII, is empty, or begins or ends with a space; the message begins
            with `what`.
    """
    if not isinstance(value, str) or not _HEADER_VALUE.fullmatch(value):
        raise ValueError(
            f"{what} must be a header's value (printable ASCII, at least one character, no space at either "
            f"end), not {value!r}"
        )
    return value


def is_sendable_name(name: str) -> bool:
    """Whether gRPC sends a header with this name (`validate_metadata.cc`)."""
    return _METADATA_NAME.fullmatch(name) is not None


def is_sendable(value: str) -> bool:
    """Whether gRPC sends a header with this value (`validate_metadata.cc`), and HTTP/2 allows it.

    gRPC *receives* any bytes, but fails a call whose own metadata has a value that is not printable ASCII.
    It would send a space at either end, which makes the header malformed (RFC 9113, 8.2.1).
    """
    return not value or _HEADER_VALUE.fullmatch(value) is not None


def printable(text: str, limit: int = 128) -> str:
    """Returns `text`, received from a peer, made safe for a log line or a status message.

    Whatever is not printable ASCII is escaped, and text longer than `limit` characters is cut short.
    """
    shown = _UNPRINTABLE.sub(lambda match: ascii(match[0])[1:-1], text[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - 3] + "..."
