"""Which virtual host and route a request matches: the doctor's answer beside that of a real Envoy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any

import pytest

from dubbo_mesh._doctor.envoy.entering.authority import normalised
from dubbo_mesh._doctor.envoy.entering.listeners import Manager
from dubbo_mesh._doctor.envoy.regex.matching import regex_matches
from dubbo_mesh._doctor.envoy.request import Request
from dubbo_mesh._doctor.envoy.routing.hiding import covers
from dubbo_mesh._doctor.envoy.routing.matching import Taken, redirects_to_https, routes_of
from dubbo_mesh._doctor.envoy.routing.virtual_hosts import virtual_host_of
from dubbo_mesh._doctor.envoy.unknown import Unknown
from tests.doctor import routes_at_random
from tests.doctor.http2 import Headers
from tests.doctor.routing import REFUSED, RoutingEnvoy, answer
from tests.sidecars.config import Json

SEED = 14


def virtual_host(name: str, *matches: Json, domains: Sequence[str] = (), **fields: Any) -> dict[str, Any]:
    """A virtual host with a route for each match, named by its position, and one for all other requests."""
    routes = [answer(f"{name}/{index}", {"prefix": "/", **match}) for index, match in enumerate(matches)]
    routes.append(answer(f"{name}/all", {"prefix": "/"}))
    return {"name": name, "domains": list(domains) or [f"{name}.test"], "routes": routes, **fields}


# -- virtual hosts

AUTHORITIES: Mapping[str, Json] = {
    "plain": {},
    "ignore-port": {"route_config": {"ignore_port_in_host_matching": True}},
    "strip-any": {"strip_any_host_port": True},
    "strip-matching": {"strip_matching_host_port": True},
    "strip-dot": {"strip_trailing_host_dot": True},
    "strip-dot-and-any": {"strip_trailing_host_dot": True, "strip_any_host_port": True},
    "strip-dot-ignore-port": {
        "route_config": {"ignore_port_in_host_matching": True},
        "strip_trailing_host_dot": True,
    },
    "with-default": {},
}
"""Connection managers that treat authorities differently."""


def manager_at_random(name: str, over: Json) -> dict[str, Any]:
    random = Random(f"{SEED} {name}")
    domains = dict.fromkeys(routes_at_random.domain(random).lower() for _ in range(250))
    domains.pop("*", None)
    hosts = [virtual_host(f"v{at}", domains=[each]) for at, each in enumerate(domains)]
    for each in hosts[::3]:  # which have two domains each, in any case
        each["domains"] = [each["domains"][0].upper(), f"{each['name']}.other"]
    if name == "with-default":
        hosts.append(virtual_host("default", domains=["*"]))
    routes = {"name": name, "virtual_hosts": hosts, **over.get("route_config", {})}
    return {**over, "route_config": routes}


# -- routes

HEADER_MATCHERS: Sequence[Json] = [
    {"name": "x-a"},
    {"name": "X-A", "string_match": {"exact": "v"}},
    {"name": "host", "string_match": {"prefix": "h"}},
    {"name": ":authority", "string_match": {"suffix": ".TEST", "ignore_case": True}},
    {"name": ":path", "string_match": {"contains": "?"}},
    {"name": ":scheme", "string_match": {"exact": "http"}},
    {"name": ":method", "string_match": {"exact": "POST"}},
    *(
        {"name": "x-a", **kind, **missing, **inverted}
        for kind in (
            {},
            {"present_match": True},
            {"present_match": False},
            {"exact_match": ""},
            {"exact_match": "v"},
            {"prefix_match": "v"},
            {"suffix_match": "v"},
            {"contains_match": ","},
            {"safe_regex_match": {"regex": "v|"}},
            {"range_match": {"start": 0, "end": 5}},
            {"range_match": {"start": -5, "end": 5}},
            {"string_match": {"exact": ""}},
            {"string_match": {"exact": "v"}},
            {"string_match": {"exact": "v,w"}},
            {"string_match": {"exact": "V", "ignore_case": True}},
            {"string_match": {"safe_regex": {"regex": "[vw,]*"}}},
        )
        for missing in ({}, {"treat_missing_header_as_empty": True})
        for inverted in ({}, {"invert_match": True})
    ),
]

HEADER_VALUES: Sequence[Sequence[str]] = [
    *([], [""], ["v"], ["w"], ["V"], ["v,w"], ["v", "w"], ["w", "v"], ["z", "", "v"]),
    *(["3"], ["5"], ["-5"], ["-6"], ["+3"], ["0x3"], ["3.0"], ["00003"], ["9", "3"], ["9" * 20], ["1e0"]),
]
"""Values of `x-a`: none, one, or several."""

QUERY_MATCHERS: Sequence[Json] = [
    {"name": "q"},
    {"name": "q", "present_match": True},
    {"name": "q", "present_match": False},
    {"name": "q", "string_match": {"exact": "a"}},
    {"name": "q", "string_match": {"exact": "b"}},
    {"name": "q", "string_match": {"exact": ""}},
    {"name": "q", "string_match": {"prefix": "A", "ignore_case": True}},
    {"name": "Q", "string_match": {"exact": "a"}},
]

QUERIES = (
    "",
    "?",
    "?q",
    "?q=",
    "?q=a",
    "?q=a&q=b",
    "?q=b&q=a",
    "?x=q",
    "?x&q=ab",
    "?q=a=b",
    "?Q=a",
    "?q=%61",
    "?&q=a",
)

# -- regular expressions

EXPRESSIONS: Sequence[str] = [
    *(
        r"\Qa.b\E*",
        r"\Qab\E+",
        r"(?i)abc",
        r"a(?i)b|c",
        r"(?i:a)b",
        r"[^[:alpha:]]",
        r"[[:^digit:]]+",
        r"[a-]",
    ),
    *(r"[]a]", r"[^]a]", r"[\d-z]", r"[a\-z]", r"a{,2}", r"a{2,", r"{", r"a|", r"|a", r"(|a)b", r"\x61"),
    *(
        r"\x{61}b",
        r"(?s).*",
        r".*",
        r"^a$",
        r"a^b",
        r"(?m)^a$",
        r"\Aa\z",
        r"\bab\b",
        r"a\b.*",
        r"\Bb",
        r"a\Bb",
    ),
    *(r"(?P<n>a)b", r"(?<n>a)b", r"(?U)a*b", r"[\w.]+", r"[\W]", r"\W\S\D", r"(a*)*", r"(a|a)*b", r"(a+)+$"),
    *(
        r"((a?){3}){3}",
        r"\.\*\+\?\(\)\[\]",
        r"[+--]",
        r"(?-i)a",
        r"(?i-s:A.)",
        r"[A-z]",
        r"\t",
        r"\-\_",
        r"()",
    ),
    *(r"[[:word:]]", r"(?i)[a-c]", r"(?i)[^a]", "\u00e9|a", "[\u00e9-\u00fc]|b", r"a{0}", r"a{3}?", r"$^a?"),
    *(
        r"x*$|a",
        r"(?i)K",
        r"\/a",
        r"[[.a.]]",
        r"[^\x00-\x7f]|a",
        r"a\Q|b\E",
        r"(a|aa|aaa)*",
        r"(.*)(.*)(.*)c",
    ),
]

TEXTS: Sequence[str] = [
    *(
        "",
        "a",
        "b",
        "ab",
        "A",
        "AB",
        "abc",
        "ABC",
        "aab",
        "a.b",
        "a.b.b",
        "a b",
        "1",
        "a1",
        "-",
        "_",
        "-_",
        "]",
    ),
    *(
        "z",
        "a{,2}",
        "a{2,",
        "{",
        "a|b",
        "+",
        ",",
        "a-",
        "Aa",
        "bb",
        "aaa",
        "K",
        "k",
        "^a",
        "d",
        "7",
        "a\tb",
        "/a",
    ),
    *(".*+?()[]", "a#b", "\\a", "a" * 40 + "c", "b1b1", "caab"),
]

EXPRESSIONS_AT_RANDOM = [routes_at_random.expression(random) for random in [Random(SEED)] for _ in range(60)]

# -- the Envoy

ROUTES = [
    routes_at_random.virtual_host(random, f"v{index}", [f"v{index}.test"])
    for random in [Random(SEED)]
    for index in range(150)
]
ALL_EXPRESSIONS = [*EXPRESSIONS, *EXPRESSIONS_AT_RANDOM]
HEADER_HOSTS = [virtual_host(f"h{at}", {"headers": [each]}) for at, each in enumerate(HEADER_MATCHERS)]
QUERY_HOSTS = [virtual_host(f"q{at}", {"query_parameters": [each]}) for at, each in enumerate(QUERY_MATCHERS)]
EXPRESSION_HOSTS = [
    virtual_host(f"e{at}", {"headers": [{"name": "x-a", "string_match": {"safe_regex": {"regex": each}}}]})
    for at, each in enumerate(ALL_EXPRESSIONS)
]
TLS_HOSTS = [
    virtual_host("none", require_tls="NONE"),
    virtual_host("all", require_tls="ALL"),
    virtual_host("external", require_tls="EXTERNAL_ONLY"),
]
MANAGERS: Mapping[str, Json] = {
    **{name: manager_at_random(name, over) for name, over in AUTHORITIES.items()},
    "routes": {"route_config": {"name": "routes", "virtual_hosts": ROUTES}},
    "headers": {"route_config": {"name": "headers", "virtual_hosts": HEADER_HOSTS}},
    "expressions": {"route_config": {"name": "expressions", "virtual_hosts": EXPRESSION_HOSTS}},
    "queries": {"route_config": {"name": "queries", "virtual_hosts": QUERY_HOSTS}},
    "tls": {"route_config": {"name": "tls", "virtual_hosts": TLS_HOSTS}},
}


@pytest.fixture(scope="module")
def envoy() -> Iterator[RoutingEnvoy]:
    with RoutingEnvoy(MANAGERS) as envoy:
        yield envoy


def headers_of(authority: str, path: str = "/pkg.Svc/Get", *others: tuple[str, str]) -> Headers:
    pseudo = (":method", "POST"), (":scheme", "http"), (":authority", authority), (":path", path)
    return [*pseudo, *others]


def request_of(headers: Headers) -> Request:
    """The request as the doctor has it."""
    values: dict[str, list[str]] = {}
    for name, value in headers:
        values.setdefault(name, []).append(value)
    return Request(
        values[":authority"][0],
        values[":path"][0],
        {name: ",".join(each) for name, each in values.items()},
        repeated={name: each for name, each in values.items() if len(each) > 1},
    )


def possible(taken: Sequence[Taken]) -> list[str | None]:
    """The names of the routes that a request may take; None stands for none."""
    names: list[str | None] = [each.message["name"] for each in taken]
    return names if taken and taken[-1].certain else [*names, None]


@pytest.mark.parametrize("name", AUTHORITIES)
def test_virtual_hosts(envoy: RoutingEnvoy, name: str) -> None:
    random = Random(SEED)
    routes: Json = MANAGERS[name]["route_config"]
    domains = [domain for each in routes["virtual_hosts"] for domain in each["domains"] if domain != "*"]
    port = int(envoy.address(name).rpartition(":")[2])
    authorities = [routes_at_random.authority(random, domains) for _ in range(250)]
    authorities += [f"{each.rpartition(':')[0] or each}:{port}" for each in authorities[:50]]
    authorities += [
        "a:",
        "a:b",
        "[::1]",
        "[::1]:80",
        "[::1",
        "a.:80",
        "a..",
        ".",
        "..",
        ":80",
        "a:80:80",
        "a.:",
    ]
    answers = envoy.ask(name, [headers_of(each) for each in authorities])

    manager = Manager(name, routes, name, MANAGERS[name])
    found: list[str | None] = []
    for authority in authorities:
        host = virtual_host_of(routes, normalised(manager, authority, port))
        assert not isinstance(host, Unknown)
        found.append(None if host is None else f"{host['name']}/all")
    compared = [
        (authority, ours, its.route)
        for authority, ours, its in zip(authorities, found, answers, strict=True)
        if its.route != REFUSED
    ]
    assert [each for each in compared if each[1] != each[2]] == []
    assert len(compared) > 250
    assert len({ours for _, ours, _ in compared}) > 60


def test_routes(envoy: RoutingEnvoy) -> None:
    random = Random(SEED)
    asked = [(host, routes_at_random.request(random, host)) for host in ROUTES for _ in range(15)]
    answers = envoy.ask("routes", [headers for _, headers in asked])
    matches = {each["name"]: each["match"] for host in ROUTES for each in host["routes"]}
    wrong: list[Any] = []
    certain = 0
    for (host, headers), its in zip(asked, answers, strict=True):
        ours = possible(list(routes_of(host, request_of(headers))))
        certain += len(ours) == 1
        if its.route not in ours:
            wrong.append((headers, ours, its.route))
        if its.route in (None, REFUSED):
            continue
        # What it took is not hidden by any route before it.
        for each in host["routes"]:
            if each["name"] == its.route:
                break
            if covers(each["match"], matches[its.route]):
                wrong.append((each, matches[its.route]))
    assert wrong == []
    assert certain > 0.95 * len(asked)
    assert len({its.route for its in answers}) > 250


@pytest.mark.parametrize("values", HEADER_VALUES, ids=repr)
def test_header_matchers(envoy: RoutingEnvoy, values: Sequence[str]) -> None:
    asked = [
        headers_of(host["domains"][0], "/a/b?c=d", *(("x-a", value) for value in values))
        for host in HEADER_HOSTS
    ]
    answers = envoy.ask("headers", asked)
    for matcher, host, headers, its in zip(HEADER_MATCHERS, HEADER_HOSTS, asked, answers, strict=True):
        assert possible(list(routes_of(host, request_of(headers)))) == [its.route], matcher


def test_query_parameters(envoy: RoutingEnvoy) -> None:
    cases = [(host, headers_of(host["domains"][0], f"/a{each}")) for host in QUERY_HOSTS for each in QUERIES]
    answers = envoy.ask("queries", [headers for _, headers in cases])
    ours = [possible(list(routes_of(host, request_of(headers)))) for host, headers in cases]
    assert ours == [[its.route] for its in answers]


def test_regular_expressions(envoy: RoutingEnvoy) -> None:
    wrong: list[Any] = []
    matches = 0
    cases = [
        (pattern, text, headers_of(host["domains"][0], "/", ("x-a", text)))
        for pattern, host in zip(ALL_EXPRESSIONS, EXPRESSION_HOSTS, strict=True)
        for text in TEXTS
    ]
    answers = envoy.ask("expressions", [headers for _, _, headers in cases])
    for (pattern, text, _), its in zip(cases, answers, strict=True):
        ours = regex_matches(pattern, text)
        matched = its.route is not None and not its.route.endswith("/all")
        matches += matched
        if ours is not matched:
            wrong.append((pattern, text, ours, matched))
    assert wrong == []
    assert matches > 500


@pytest.mark.parametrize(
    "pattern", [r"\pL", r"\C", r"(?i)\x{212a}", "(" * 200, "a{1001}", "((a{99}){99}){99}"]
)
def test_regular_expressions_that_cannot_be_told(pattern: str) -> None:
    assert isinstance(regex_matches(pattern, "a"), Unknown)


@pytest.mark.parametrize(
    "pattern", ["(a*)*b", "(a|a)*b", "(a|aa)+b", "(.*)(.*)(.*)(.*)b", "(((a{1,9}){1,9}){1,9})b"]
)
def test_regular_expressions_take_no_exponential_time(pattern: str) -> None:
    assert regex_matches(pattern, "a" * 200) is not True


def test_redirects_to_https(envoy: RoutingEnvoy) -> None:
    asked = [headers_of(host["domains"][0]) for host in TLS_HOSTS]
    answers = envoy.ask("tls", asked)
    redirected = [its.route != f"{host['name']}/all" for host, its in zip(TLS_HOSTS, answers, strict=True)]
    ours = [redirects_to_https(host, internal=False) for host in TLS_HOSTS]
    assert ours == redirected == [False, True, True]
