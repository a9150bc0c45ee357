"""Condition rules for Istio: random ones do what Dubbo does, and what cannot be expressed is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from protoc_gen_dubbo_mesh.rules.comparing import by_instance
from protoc_gen_dubbo_mesh.rules.deciding import decide
from protoc_gen_dubbo_mesh.rules.dialects import DEFAULT, DIALECTS
from protoc_gen_dubbo_mesh.rules.directory import Directory, Host
from protoc_gen_dubbo_mesh.rules.expressing import express, product
from protoc_gen_dubbo_mesh.rules.interpreting import interpret
from protoc_gen_dubbo_mesh.rules.model import ConditionRule, Header, Scalar
from protoc_gen_dubbo_mesh.rules.positions import Position
from protoc_gen_dubbo_mesh.rules.reading.condition_rule import condition
from protoc_gen_dubbo_mesh.rules.resources import StringMatch
from protoc_gen_dubbo_mesh.rules.simulating import simulate
from protoc_gen_dubbo_mesh.rules.verdicts import Verdict, worst
from protoc_gen_dubbo_mesh.rules.worlds import Consumer, Instance, Request, World

if TYPE_CHECKING:
    from collections.abc import Sequence

    from protoc_gen_dubbo_mesh.rules.dialects import Dialect
    from protoc_gen_dubbo_mesh.rules.resources import Translation

SERVICE = "com.example.shop.OrderService"
OTHER = "com.example.shop.StockService"
METHODS = ("find", "findAll", "place", "placeOrder", "f", "a*b", "aXb")
NUMBERS = ("0", "5", "007", "9", "10", "15", "21", "100", "-3", "+7", "word", "", "2147483647", "99999999999")
ZONES = ("east", "west")


def rule(
    lines: Sequence[str],
    *,
    file: str = "rule.yaml",
    scope: str = "service",
    key: str = SERVICE,
    force: bool = True,
) -> ConditionRule:
    """A condition rule of v3.0."""

    def scalar(text: str, line: int = 1) -> Scalar:
        return Scalar(text, True, Position(file, line))

    header = Header(
        Position(file, 1),
        config_version=scalar("v3.0"),
        scope=scalar(scope),
        key=scalar(key),
        force=scalar(str(force).lower()),
        enabled=scalar("true"),
        runtime=scalar("true"),
    )
    return ConditionRule(header, tuple([condition(scalar(text, 10 + n)) for n, text in enumerate(lines)]))


def host(methods: tuple[str, ...] | None = None) -> Host:
    """A host of two services, one with known methods or none."""
    return Host("orders", None, {SERVICE: methods, OTHER: None}, (("app", "orders"),))


def translated(rules: Sequence[ConditionRule], dialect: Dialect = DEFAULT) -> Translation:
    """What rules become."""
    return express(interpret(rules, dialect), Directory((host(),)), dialect)


def _values(*choices: str) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(choices), min_size=1, max_size=3).map(",".join)


def _term(keys: Sequence[str], *values: str) -> st.SearchStrategy[str]:
    return st.tuples(st.sampled_from(keys), st.sampled_from(["=", "=", "!="]), _values(*values)).map("".join)


_METHOD_VALUES = (*METHODS, "find*", "f*l", "*All", "*", "a*b*", "p*r", "find*d", "PLACE")
_TERMS = st.one_of(
    _term(["method", "methods"], *_METHOD_VALUES),
    _term(["application"], "web", "cli", "w*", "*i", "*", "w*b"),
    _term(["version", "group"], "1.0", "2*", "*"),
    _term(["attachments[level]"], "5~15", "~9", "0~0", "-2~7", "10~10", "3~1", "9~99999999999", "~", "7~"),
    _term(["attachments[level]"], "5~15", "10", "007", "word", "20~30"),
    _term(["attachments[Lane]", "attachments[x]"], "red", "r*d", "*", "blue", "r*"),
    _term(["attachments[a.b]", "side", "interface", "protocol"], "red", "consumer", "*", SERVICE),
    st.sampled_from(ZONES).map("zone={}".format),
    st.sampled_from(["method", "application", "attachments[x]", "METHOD=find"]),
    _term(["method"], "find", "place").flatmap(
        lambda first: _term(["method"], *METHODS).map(lambda second: f"{first} & {second}")
    ),
)
_LEFT = st.one_of(
    st.just(""), st.lists(_TERMS, min_size=1, max_size=3).map(" & ".join), _TERMS.map(lambda term: term)
)
_RIGHT = st.one_of(
    st.sampled_from(["zone=east", "zone=west", "zone=north", "lane=red", "zone=east & lane=red"]),
    st.sampled_from(["zone=east,west & zone!=west", "side=provider & lane=red", "zone=east & side=consumer"]),
    st.sampled_from(["", "zone", "remote.application=orders & zone=west", f"interface={SERVICE}"]),
)
_LINES = st.lists(st.tuples(_LEFT, _RIGHT).map(" => ".join), min_size=1, max_size=5)
_PARAMS = st.fixed_dictionaries(
    {}, optional={"zone": st.sampled_from([*ZONES, "north"]), "lane": st.sampled_from(["red", "blue"])}
)
_INSTANCES = st.lists(_PARAMS, min_size=1, max_size=5).map(
    lambda found: tuple(
        [Instance(f"i{n}", f"10.0.0.{n}", 50051, "orders", params) for n, params in enumerate(found)]
    )
)
_ATTACHMENTS = st.fixed_dictionaries(
    {},
    optional={
        "level": st.sampled_from(NUMBERS),
        "Lane": st.sampled_from(["red", "rd", "round", "r", "blue", ""]),
        "x": st.sampled_from(["red", "blue", "rd"]),
    },
)
_REQUESTS = st.lists(
    st.builds(
        Request,
        name=st.just("request"),
        service=st.sampled_from([SERVICE, SERVICE, OTHER]),
        method=st.sampled_from(METHODS),
        version=st.sampled_from([None, "1.0", "2.0"]),
        group=st.sampled_from([None, "1.0", "blue"]),
        consumer=st.builds(
            Consumer,
            application=st.sampled_from(["web", "cli", "orders", "wb"]),
            host=st.just("10.9.9.9"),
            params=st.fixed_dictionaries({}, optional={"zone": st.sampled_from(ZONES)}),
        ),
        attachments=_ATTACHMENTS,
        arguments=st.just(()),
    ),
    min_size=1,
    max_size=8,
)


@pytest.mark.parametrize("attachments", [{}, {"x": ""}, {"x": "red"}, {"x": "blue"}], ids=str)
@pytest.mark.parametrize("term", ["attachments[x]!=red", "attachments[x]=*", "attachments[x]=b*,red"])
def test_an_empty_attachment_is_absent_in_go(term: str, attachments: dict[str, str]) -> None:
    rules = [rule([f"{term} => zone=west"])]
    instances = tuple([Instance(zone, "10.0.0.1", 50051, "orders", {"zone": zone}) for zone in ZONES])
    call = Request("call", SERVICE, "find", None, None, Consumer("web", "10.9.9.9", {}), attachments, ())
    world = World(SERVICE, "orders", instances, (call,))
    for dialect in (DIALECTS["go-3.3"], DEFAULT):
        (file,) = translated(rules, dialect).hosts
        assert simulate(file, world, call) == decide(interpret(rules, dialect), world, call).shares, dialect


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(
    dialect=st.sampled_from(list(DIALECTS.values())),
    lines=_LINES,
    for_all=st.one_of(st.just([]), _LINES),
    methods=st.sampled_from([None, None, METHODS]),
    instances=_INSTANCES,
    requests=_REQUESTS,
)
def test_a_request_goes_where_dubbo_sends_it_if_all_lines_are_exact(
    dialect: Dialect,
    lines: list[str],
    for_all: list[str],
    methods: tuple[str, ...] | None,
    instances: tuple[Instance, ...],
    requests: list[Request],
) -> None:
    rules = [rule(lines)]
    if for_all and dialect.provider_scope:
        rules.append(rule(for_all, file="app.yaml", scope="application", key="orders"))
    interpretation = interpret(rules, dialect)
    translation = express(interpretation, Directory((host(methods),)), dialect)
    verdict = worst([each for each in translation.remarks if each.verdict is not Verdict.INACTIVE])
    event(verdict.value)
    if verdict is not Verdict.EXACT:
        return
    world = World(SERVICE, "orders", instances, tuple(requests))
    for request in requests:
        stages = [
            stage
            for stage in interpretation.stages
            if stage.scope is None or stage.scope.service in {None, request.service}
        ]
        wanted = by_instance(decide(interpretation._replace(stages=tuple(stages)), world, request).shares)
        if not translation.hosts:
            assert len(wanted) == len(instances), request
            continue
        (file,) = translation.hosts
        found = by_instance(simulate(file, world, request))
        assert found == pytest.approx(wanted), (request, file.routes, interpretation.stages)


def _verdict(text: str, *, force: bool = True, dialect: Dialect = DEFAULT) -> tuple[Verdict, str]:
    """The verdict on a line, and all that is said of it."""
    said = [
        each for each in translated([rule([text], force=force)], dialect).remarks if each.where.line == 10
    ]
    return worst(said), " ".join(f"{each.why} {each.advice}" for each in said)


class TestALine:
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("arguments[0]=vip => zone=east", "body"),
            ("host=10.1.* => zone=east", "application"),
            ("method=place => host=10.0.0.1", "label of their own"),
            ("method=place => port=20880", "Service's port"),
            ("method=place => zone!=east", "cannot be unequal"),
            ("method=place => zone=*", "whether there is one"),
            ("method=place => zone=east,west", "label in common"),
            ("method=place => zone=$zone", "a line for each value of zone"),
            ("method=place => zone=e*", "patterns"),
            ("method=place => application=web", "left side"),
            ("method=größe => zone=east", "ASCII"),
            ("zone!=east => lane=red", "sourceLabels"),
            ("method=place => zone=ä", "cannot be a label"),
        ],
    )
    def test_that_istio_has_no_terms_for_is_named_and_not_written(self, text: str, words: str) -> None:
        verdict, said = _verdict(text)
        assert verdict is Verdict.CANNOT
        assert words in said
        assert translated([rule([text])]).hosts == ()

    def test_that_no_request_can_match_is_inactive(self) -> None:
        assert _verdict("attachments[level]=9~5 => zone=east")[0] is Verdict.INACTIVE
        assert _verdict("method => zone=east")[0] is Verdict.INACTIVE

    def test_that_leaves_no_instance_is_skipped_without_force_only(self) -> None:
        assert _verdict("method=place => zone", force=False)[0] is Verdict.INACTIVE
        verdict, said = _verdict("method=place => zone")
        assert verdict is Verdict.EXACT
        assert "these calls fail" in said

    def test_without_force_prefers_pods_and_says_how_that_differs(self) -> None:
        verdict, said = _verdict("method=place => zone=east", force=False)
        assert verdict is Verdict.APPROXIMATE
        assert "72 %" in said

    def test_on_labels_of_callers_says_so(self) -> None:
        verdict, said = _verdict("region=north => zone=east")
        assert verdict is Verdict.EXACT
        assert "region=north" in said
        assert "sourceLabels" in said

    def test_is_left_out_alone_if_it_cannot_be_expressed(self) -> None:
        (file,) = translated([rule(["arguments[0]=vip => zone=west", "method=place => zone=east"])]).hosts
        assert [each.labels for each in file.subsets] == [(("zone", "east"),)]


class TestTheScopeApplication:
    def test_names_the_provider_or_the_consumer(self) -> None:
        (file,) = translated([rule(["=> zone=east"], scope="application", key="orders")]).hosts
        assert [route.matches for route in file.routes] == [()]

    @pytest.mark.parametrize("name", ["java-2.7", "java-3.1"])
    def test_names_the_consumer_only_before_dubbo_3_2(self, name: str) -> None:
        rules = [rule(["=> zone=east"], scope="application", key="orders")]
        (file,) = translated(rules, DIALECTS[name]).hosts
        (match,) = file.routes[0].matches
        assert match.headers == (("tri-consumer-appname", StringMatch("exact", "orders")),)


class TestThousandsOfLines:
    def test_on_methods_make_a_route_each(self) -> None:
        lines = [f"method=m{number} => zone=z{number % 7}" for number in range(5_000)]
        translation = translated([rule(lines)])
        (file,) = translation.hosts
        assert len(file.routes) == 5_001
        assert len(file.subsets) == 7
        assert worst(list(translation.remarks)) is Verdict.EXACT

    def test_in_one_line_make_one_route(self) -> None:
        names = ",".join(f"m{number}" for number in range(5_000))
        (file,) = translated([rule([f"method={names} => zone=east"])]).hosts
        assert len(file.routes) == 2

    def test_that_all_combine_are_bounded_and_the_rest_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(product, "_MOST", 500)
        lines = [f"attachments[k{number}]=x => l{number}=x" for number in range(40)]
        translation = translated([rule(lines)])
        assert worst(list(translation.remarks)) is Verdict.CANNOT
        assert "split the rule, or name fewer values" in {each.advice for each in translation.remarks}
        assert sum(len(file.routes) for file in translation.hosts) <= 500
