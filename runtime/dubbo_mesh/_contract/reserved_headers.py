"""Headers that are not an application's own to choose or to pass on."""

import re

_RESERVED = re.compile(
    r"(?P<credentials>authorization|proxy-authorization|cookie|set-cookie)"
    # Connection-specific headers (RFC 9113, 8.2.2) make a peer reset the stream or close the connection;
    # the others describe one message, or are added by whoever forwards it.
    r"|(?P<HTTP>:.*|connection|keep-alive|proxy-connection|proxy-authenticate|transfer-encoding|upgrade"
    r"|http2-settings|te|trailer|host|content-(?:type|length|encoding)|accept-encoding|expect|user-agent"
    r"|server|date|via|forwarded)"
    r"|(?P<gRPC>grpc-.*)"
    r"|(?P<Envoy>x-envoy-.*|x-forwarded-.*|x-client-trace-id)"
    r"|(?P<Triple>tri-.*)"
)


def owner_of(header: str) -> str | None:
    """Returns who gives `header` its meaning, if that is not the application; None if it is.

    Args:
        header: the name of a header, in lower case.

    Returns:
        `HTTP`, `gRPC`, `Envoy`, `Triple`, or `credentials` for headers that prove an identity to one server.
    """
    match = _RESERVED.fullmatch(header)
    return None if match is None else match.lastgroup
