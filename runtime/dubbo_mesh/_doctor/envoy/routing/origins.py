"""What routes are called, and which of Istio's resources they were made from."""

from __future__ import annotations

import re

from ..values import Json, text

_RESOURCE = re.compile(r"/apis/[^/]+/[^/]+/namespaces/(?P<namespace>[^/]+)/(?P<kind>[a-z-]+)/(?P<name>[^/]+)")


def title_of(route: Json) -> str:
    """What a `Route` message is called: `route hello (VirtualService shop/greeter)`."""
    name = text(route, "name")
    title = f"route {name}" if name else "a route without a name"
    origin = origin_of(route)
    return f"{title} ({origin})" if origin else title


def origin_of(message: Json) -> str:
    """The resource of Istio's that something was made from, such as `VirtualService shop/greeter`.

    Istio has it in metadata, by its path at the API server (`BuildConfigInfoMetadata` in pilot's util). It is
    empty for what Istio does by itself, and elsewhere.
    """
    path = text(message, "metadata", "filter_metadata", "istio", "config")
    path = path or text(message, "metadata", "filterMetadata", "istio", "config")  # istioctl and istiod
    found = _RESOURCE.fullmatch(path)
    if found is None:
        return ""
    if "~" in found["name"]:  # of the VirtualService that Istio makes of them
        return "routes of the Gateway API"
    kind = "".join(part.capitalize() for part in found["kind"].split("-"))
    return f"{kind} {found['namespace']}/{found['name']}"
