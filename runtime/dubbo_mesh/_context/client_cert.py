r"""`x-forwarded-client-cert`: the client's certificate, as Envoy reports it.

The grammar is Envoy's (docs: `configuration/http/http_conn_man/headers`, x-forwarded-client-cert):
elements separated by commas, one for each proxy passed; in each, `Key=Value` pairs separated by semicolons. A
value that contains `,`, `;`, `=` or `"` is in double quotes, with `\"` for a quote.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# Possessive, so that no part of a header, however hostile, is scanned twice.
_PAIR = re.compile(
    r"\s*+(?P<key>[A-Za-z]++)="
    r'(?:"(?P<quoted>(?:[^"\\]|\\.)*+)"\s*+|(?P<plain>[^",;]*+))'
    r"(?P<end>[,;]|\Z)"
)
_ESCAPED = re.compile(r"\\(.)")
_LONGEST = 65_536


@dataclass(frozen=True, slots=True)
class ClientCert:
    """One element of `x-forwarded-client-cert`: what one proxy reports about the certificate presented to it.

    Attributes:
        by: subject alternative names (URIs) of the reporting proxy.
        hash: SHA-256 of the client's certificate, in hexadecimal.
        subject: the certificate's subject, in the format of RFC 2253.
        uri: its URI-type subject alternative names; on Istio the SPIFFE identity.
        dns: its DNS-type subject alternative names.
        cert: the certificate, URL-encoded PEM.
        chain: the chain, URL-encoded PEM.
    """

    by: tuple[str, ...] = ()
    hash: str | None = None
    subject: str | None = None
    uri: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    cert: str | None = None
    chain: str | None = None


def parse_xfcc(header: str) -> tuple[ClientCert, ...]:
    """Returns the elements of the header, the farthest proxy's first; none if any part of it is malformed.

    A malformed header is rejected as a whole: code that reads identities from it must not mistake what
    is left of a forged value for the truth.
    """
    if len(header) > _LONGEST:
        return ()
    certs: list[ClientCert] = []
    element: dict[str, list[str]] = {}
    at = 0
    while at < len(header):
        match = _PAIR.match(header, at)
        if match is None:
            return ()
        quoted = match["quoted"]
        value = match["plain"].rstrip() if quoted is None else _ESCAPED.sub(r"\1", quoted)
        element.setdefault(match["key"].lower(), []).append(value)
        at = match.end()
        if match["end"] != ";":
            certs.append(_client_cert(element))
            element = {}
        if match["end"] and at == len(header):
            return ()  # a separator that nothing follows
    return tuple(certs)


def _client_cert(element: dict[str, list[str]]) -> ClientCert:
    def first(key: str) -> str | None:
        return next((value for value in element.get(key, ()) if value), None)

    def every(key: str) -> tuple[str, ...]:
        return tuple(value for value in element.get(key, ()) if value)

    return ClientCert(
        by=every("by"),
        hash=first("hash"),
        subject=first("subject"),
        uri=every("uri"),
        dns=every("dns"),
        cert=first("cert"),
        chain=first("chain"),
    )
