"""Tags become routes by the header `dubbo.tag`, to subsets that labels tell."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import pytest

from protoc_gen_dubbo_mesh.rules.comparing import by_instance
from protoc_gen_dubbo_mesh.rules.deciding import decide
from protoc_gen_dubbo_mesh.rules.dialects import DIALECTS
from protoc_gen_dubbo_mesh.rules.directories import directory_of
from protoc_gen_dubbo_mesh.rules.expressing import express
from protoc_gen_dubbo_mesh.rules.interpreting import interpret
from protoc_gen_dubbo_mesh.rules.reading import rules as rule_files
from protoc_gen_dubbo_mesh.rules.simulating import simulate
from protoc_gen_dubbo_mesh.rules.verdicts import Verdict
from protoc_gen_dubbo_mesh.rules.worlds import Consumer, Instance, Request, World
from tests.rules.recorded import convert

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from protoc_gen_dubbo_mesh.rules.resources import Translation
    from protoc_gen_dubbo_mesh.rules.stages import Interpretation

RULE = """\
configVersion: v3.0
force: {force}
enabled: true
key: orders
tags:
  - name: gray
    match: [{{key: lane, value: {{exact: gray}}}}]
  - name: "gray|deep"
    match: [{{key: lane, value: {{exact: deep}}}}]
  - name: blue
    match:
      - {{key: lane, value: {{exact: blue}}}}
      - {{key: zone, value: {{exact: east}}}}
"""

UNTAGGED = ("base", "yes")


def instance(name: str, **params: str) -> Instance:
    """An instance; those without a lane have the label of pods without a tag."""
    own = params if "lane" in params or "tag" in params else {**params, "base": "yes"}
    tag = {"dubbo.tag": own.pop("tag")} if "tag" in own else {}
    return Instance(name, "10.0.0.1", 50051, "orders", {**own, **tag})


FULL = (
    instance("gray-1", lane="gray"),
    instance("gray-2", lane="gray", zone="east"),
    instance("deep-1", lane="deep"),
    instance("blue-1", lane="blue", zone="east"),
    instance("static-1", tag="canary"),
    instance("bare-1"),
    instance("bare-2", zone="east"),
)


def requests() -> Iterator[Request]:
    """Requests with all kinds of tags, as headers and as parameters of the consumer."""
    tags = (None, "gray", "gray|deep", "gray|other", "gray|deep|er", "blue", "canary", "nope", "blue|x")
    for tag, param, forced in product(tags, (None, "gray", "canary", "nope"), (None, "true", "false")):
        attachments = {
            **({"dubbo.tag": tag} if tag else {}),
            **({"dubbo.force.tag": forced} if forced else {}),
        }
        if not tag and param == "nope" and forced == "true":
            continue  # sourceLabels cannot tell labels that are unknown
        params = {"dubbo.tag": param} if param else {}
        consumer = Consumer("web", "10.0.0.9", params)
        yield Request("r", "shop.Orders", "get", None, None, consumer, attachments, ())


def both(
    text: str, instances: tuple[Instance, ...], dialect: str, directory: Path
) -> tuple[Interpretation, Translation, World]:
    """What a rule means, and what it becomes."""
    file = directory / "rule.yaml"
    file.write_text(text)
    world = World("shop.Orders", "orders", instances, ())
    meaning = interpret(rule_files.read([str(file)]).rules, DIALECTS[dialect])
    known = directory_of(world, (), {})._replace(untagged=UNTAGGED)
    return meaning, express(meaning, known, DIALECTS[dialect]), world


def differences(
    text: str, instances: tuple[Instance, ...], dialect: str, directory: Path
) -> dict[str, tuple[Mapping[str, float], Mapping[str, float]]]:
    """The requests that go elsewhere in Istio, with the shares in Dubbo and in Istio."""
    meaning, translation, world = both(text, instances, dialect, directory)
    (file,) = translation.hosts
    found: dict[str, tuple[Mapping[str, float], Mapping[str, float]]] = {}
    for request in requests():
        dubbo = by_instance(decide(meaning, world, request).shares)
        istio = by_instance(simulate(file, world, request))
        if dubbo != pytest.approx(istio):
            found[f"{request.attachments} {request.consumer.params}"] = (dubbo, istio)
    return found


class TestBothSidesDecideAlike:
    @pytest.mark.parametrize("dialect", ["java-3.3", "java-3.2", "go-3.3"])
    @pytest.mark.parametrize("force", ["true", "false"])
    def test_if_all_tags_have_pods(self, tmp_path: Path, force: str, dialect: str) -> None:
        if dialect != "go-3.3":
            assert differences(RULE.format(force=force), FULL, dialect, tmp_path) == {}
            return
        instances = tuple([each for each in FULL if each.name != "static-1"])
        found = differences(RULE.format(force=force), instances, dialect, tmp_path)
        # It refuses unknown tags of the consumer's own, too, which sourceLabels cannot tell.
        assert all(
            consumer in {"'dubbo.tag': 'canary'}", "'dubbo.tag': 'nope'}"}
            for consumer in [each.partition("} {")[2] for each in found]
        )

    def test_by_instances_own_tags_without_a_rule(self, tmp_path: Path) -> None:
        rule = "configVersion: v3.0\nscope: service\nkey: shop.Orders\nenabled: true\nconditions: []\n"
        instances = (instance("a", tag="gray"), instance("b", tag="canary"), instance("c"))
        assert differences(rule, instances, "java-3.3", tmp_path) == {}


class TestRoutes:
    def test_refuse_unknown_tags_with_force(self, tmp_path: Path) -> None:
        _, translation, _ = both(RULE.format(force="true"), FULL, "java-3.3", tmp_path)
        (file,) = translation.hosts
        (refused,) = [
            route
            for route in file.routes
            if route.status and not any(dict(match.headers).get("dubbo.tag") for match in route.matches)
        ]
        assert refused.status == 503

    def test_end_with_pods_without_a_tag(self, tmp_path: Path) -> None:
        _, translation, _ = both(RULE.format(force="true"), FULL, "java-3.3", tmp_path)
        (file,) = translation.hosts
        last = file.routes[-1]
        assert not last.matches
        labels = {each.name: each.labels for each in file.subsets}
        assert labels[last.destinations[0].subset or ""] == (UNTAGGED,)

    def test_are_not_needed_if_no_instance_has_a_tag(self, tmp_path: Path) -> None:
        rule = "configVersion: v3.0\nscope: service\nkey: shop.Orders\nenabled: true\nconditions: []\n"
        _, translation, _ = both(rule, (instance("a"),), "java-3.3", tmp_path)
        assert translation.hosts == ()


class TestRemarks:
    def test_name_pods_whose_label_is_wrong(self, tmp_path: Path) -> None:
        wrong = Instance("wrong-1", "10.0.0.2", 1, "orders", {"lane": "gray", "base": "yes"})
        _, translation, _ = both(RULE.format(force="true"), (*FULL, wrong), "java-3.3", tmp_path)
        assert any(
            each.verdict is Verdict.APPROXIMATE and "wrong-1" in each.why for each in translation.remarks
        )

    def test_name_the_pods_of_fixed_addresses(self, tmp_path: Path) -> None:
        found = convert("tag_addresses", tmp_path)
        assert "east-1" in found.said(7)
        assert found.verdict(9) in {"inactive", "cannot"}

    def test_say_which_application_is_missing(self, tmp_path: Path) -> None:
        file = tmp_path / "rule.yaml"
        file.write_text(RULE.format(force="true").replace("key: orders", "key: others"))
        meaning = interpret(rule_files.read([str(file)]).rules, DIALECTS["java-3.3"])
        known = directory_of(None, (), {"shop.Orders": "orders"})
        translation = express(meaning, known, DIALECTS["java-3.3"])
        assert translation.hosts == ()
        assert any("--app SERVICE=others" in each.advice for each in translation.remarks)
