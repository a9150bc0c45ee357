"""Virtual hosts, routes and requests at random, close enough to each other to match now and then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, TypeAlias

from tests.doctor.http2 import Headers
from tests.doctor.routing import answer

Message: TypeAlias = dict[str, Any]

LABELS = ("a", "b", "ab", "A", "ba", "a-b", "svc")
HEADERS = (
    "x-a",
    "x-b",
    "X-C",
    ":authority",
    ":path",
    ":method",
    "host",
    "content-type",
    "user-agent",
    "absent",
)
VALUES = (
    "",
    "a",
    "A",
    "ab",
    "abc",
    "ABC",
    "1",
    "42",
    "-7",
    "+3",
    "007",
    "a,b",
    "application/grpc",
    "POST",
    "b c",
)
SEGMENTS = ("a", "A", "ab", "b", "a.b", "pkg.Svc", "Get", "get")
GRPC = ("application/grpc", "application/grpc+proto", "application/grpc-web", "application/json", None)


def host(random: Random) -> str:
    """A host without a port."""
    if random.random() < 0.1:
        return random.choice(["127.0.0.1", "[::1]", "[fd00::1]", "10.0.0.1"])
    return ".".join(random.choices(LABELS, k=random.randint(1, 4)))


def port(random: Random) -> str:
    """A port with its colon, or nothing."""
    return random.choice(["", "", ":80", ":443", ":0", ":00080", ":50051"])


def domain(random: Random) -> str:
    """A domain of a virtual host."""
    plain = host(random) + random.choice(["", "", "."]) + port(random)
    kind = random.random()
    if kind < 0.4:
        return plain
    cut = random.randint(1, len(plain))
    if kind < 0.7:
        return f"*{plain[-cut:]}"
    return f"{plain[:cut]}*" if kind < 0.95 else f"*{plain}*"


def authority(random: Random, domains: Sequence[str]) -> str:
    """An authority, most of them close to one of the domains."""
    if random.random() < 0.2:
        found = host(random) + random.choice(["", "."]) + port(random)
    else:
        filling = random.choice(["", "a", "ab.", ".", "a.b"])
        found = random.choice(domains).replace("*", filling)
    changes: Sequence[Callable[[str], str]] = (
        str,
        str,
        str.upper,
        str.title,
        lambda text: f"{text}.",
        lambda text: text + port(random),
        lambda text: text.rpartition(":")[0] or text,
        lambda text: f"a{text}",
    )
    return random.choice(changes)(found) or "a"


def string_matcher(random: Random) -> Message:
    """A `StringMatcher`."""
    kind = random.choice(["exact", "prefix", "suffix", "contains", "safe_regex"])
    if kind == "safe_regex":
        return {"safe_regex": {"regex": expression(random)}}
    value = random.choice(VALUES)
    if kind != "exact":
        value = value[: random.randint(1, 3)] or "a"
    return {kind: value} | ({"ignore_case": True} if random.random() < 0.3 else {})


def header_matcher(random: Random) -> Message:
    """A `HeaderMatcher`, of deprecated kinds too."""
    kinds: Sequence[Callable[[], Message]] = (
        dict,
        lambda: {"present_match": random.random() < 0.5},
        lambda: {"exact_match": random.choice(VALUES)},
        lambda: {"prefix_match": random.choice(VALUES)[:1] or "a"},
        lambda: {"suffix_match": random.choice(VALUES)[-1:] or "a"},
        lambda: {"contains_match": random.choice(VALUES)[1:] or "a"},
        lambda: {"safe_regex_match": {"regex": expression(random)}},
        lambda: {"range_match": {"start": random.randint(-9, 9), "end": random.randint(0, 50)}},
        lambda: {"string_match": string_matcher(random)},
        lambda: {"string_match": string_matcher(random)},
    )
    found = {"name": random.choice(HEADERS), **random.choice(kinds)()}
    if random.random() < 0.3:
        found["invert_match"] = True
    if random.random() < 0.3:
        found["treat_missing_header_as_empty"] = True
    return found


def path(random: Random) -> str:
    """A path without a query."""
    return "/" + "/".join(random.choices(SEGMENTS, k=random.randint(1, 3)))


def path_match(random: Random) -> Message:
    """The part of a `RouteMatch` that is about the path."""
    given = path(random)
    kind = random.randint(0, 9)
    if kind < 3:
        found: Message = {"prefix": given[: random.randint(1, len(given))]}
    elif kind < 5:
        found = {"path": given}
    elif kind < 6:
        found = {"path_separated_prefix": given}
    elif kind < 7:
        return {"path_match_policy": template(random)}
    elif kind < 8:
        return {"safe_regex": {"regex": "/" + expression(random) + random.choice(["", ".*"])}}
    else:
        return {"connect_matcher": {}} if random.random() < 0.2 else {"prefix": "/"}
    return found | ({"case_sensitive": False} if random.random() < 0.3 else {})


def template(random: Random) -> Message:
    """The matcher of a URI template."""
    parts = [random.choice([*SEGMENTS, "*", "{x}", "{y=*}", "{z=a/*}"]) for _ in range(random.randint(1, 3))]
    if random.random() < 0.3:
        parts[-1] = random.choice(["**", "{w=**}"])
    names = {"{x}", "{y=*}", "{z=a/*}", "{w=**}"}
    once = [part for at, part in enumerate(parts) if part not in names or part not in parts[:at]]
    return {
        "name": "envoy.path.match.uri_template.uri_template_matcher",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig",
            "path_template": "/" + "/".join(once),
        },
    }


def query_parameter(random: Random) -> Message:
    """A `QueryParameterMatcher`."""
    kinds: Sequence[Message] = ({}, {"present_match": True}, {"string_match": string_matcher(random)})
    return {"name": random.choice(["q", "r"]), **random.choice(kinds)}


def route_match(random: Random) -> Message:
    """A `RouteMatch`."""
    found = path_match(random)
    if random.random() < 0.5:
        found["headers"] = [header_matcher(random) for _ in range(random.choice([1, 1, 2]))]
    if random.random() < 0.1:
        found["query_parameters"] = [query_parameter(random)]
    if random.random() < 0.1:
        found["grpc"] = {}
    if random.random() < 0.1:
        share = random.choice([0, 0, 100, 100, 50])
        found["runtime_fraction"] = {"default_value": {"numerator": share, "denominator": "HUNDRED"}}
    if random.random() < 0.05:
        found["tls_context"] = {random.choice(["presented", "validated"]): random.random() < 0.5}
    return found


def virtual_host(random: Random, name: str, domains: Sequence[str]) -> Message:
    """A `VirtualHost` with some routes, most of them with a last one for all requests."""
    routes = [answer(f"{name}/{index}", route_match(random)) for index in range(random.randint(2, 10))]
    if random.random() < 0.7:
        routes.append(answer(f"{name}/all", {"prefix": "/"}))
    return {"name": name, "domains": list(domains), "routes": routes}


def expression(random: Random, depth: int = 0) -> str:
    """A regular expression."""
    atoms = (
        "a",
        "b",
        "1",
        ".",
        "[ab]",
        "[^a]",
        r"\d",
        r"\w",
        "[a-c]",
        "(?i:A)",
        r"\.",
        "[[:alpha:]]",
        r"\s",
        ",",
    )
    if depth < 3 and random.random() < 0.4:
        inner = expression(random, depth + 1)
        made = random.choice([f"({inner})", f"(?:{inner}|{expression(random, depth + 1)})"])
    else:
        made = random.choice(atoms)
    made += random.choice(["", "", "", "*", "+", "?", "{2}", "{0,2}", "{1,}", "*?"])
    return made + expression(random, depth + 1) if random.random() < 0.5 and depth < 4 else made


def request(random: Random, host: Message) -> Headers:
    """A request to a virtual host, more often than not close to one of its routes."""
    match = random.choice(host["routes"])["match"]
    near = [match[kind] for kind in ("prefix", "path", "path_separated_prefix") if kind in match]
    given = near[0] if near and random.random() < 0.7 else path(random)
    query = random.choice(["", "", "", "?q=a", "?r=ab&q=", "?q", "?x=1&q=abc&q=a"])
    headers = [
        (":method", random.choice(["POST", "POST", "GET"])),
        (":scheme", "http"),
        (":authority", host["domains"][0]),
        (":path", given + random.choice(["", "", "a", "/", "//", "/a"]) + query),
    ]
    kind = random.choice(GRPC)
    if kind is not None:
        headers.append(("content-type", kind))
    names = random.sample(["x-a", "x-b", "x-c", "user-agent"], k=random.randint(0, 4))
    return [*headers, *((name, random.choice(VALUES)) for name in names)]
