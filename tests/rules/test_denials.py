"""Lines that deny become rules of an AuthorizationPolicy where Istio can tell the callers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from protoc_gen_dubbo_mesh.rules.comparing import Agreement, Comparer
from protoc_gen_dubbo_mesh.rules.dialects import DEFAULT
from protoc_gen_dubbo_mesh.rules.directories import directory_of
from protoc_gen_dubbo_mesh.rules.reading import rules as rule_files
from protoc_gen_dubbo_mesh.rules.rendering import render
from protoc_gen_dubbo_mesh.rules.translating import Translated, translate
from protoc_gen_dubbo_mesh.rules.verdicts import Verdict
from protoc_gen_dubbo_mesh.rules.worlds import Consumer, Instance, Request, World
from tests.rules.recorded import rules

if TYPE_CHECKING:
    from pathlib import Path

    from protoc_gen_dubbo_mesh.rules.resources import Denial

RULE = """\
configVersion: v3.0
scope: service
force: false
enabled: true
key: shop.Orders
conditions:
  - {condition}
"""

WORLD = """\
service: shop.Orders
application: orders
instances: [{name: a, address: "10.0.0.1:50051"}, {name: b, address: "10.0.0.2:50052"}]
requests: []
"""

ACCOUNTS = {"batch": "jobs/batch-runner", "cron": "jobs/cron"}


def translated(condition: str, directory: Path) -> Translated:
    """What a line becomes, if the accounts of some applications are known."""
    file = directory / "rule.yaml"
    file.write_text(RULE.format(condition=condition))
    world = directory / "world.yaml"
    world.write_text(WORLD)
    return translate([str(file)], DEFAULT, str(world), (), {}, accounts=ACCOUNTS)


def denial(condition: str, directory: Path) -> Denial:
    """The only denial that a line becomes."""
    (host,) = translated(condition, directory).hosts
    (found,) = host.denials
    return found


class TestALineIsDeniedAtTheProvider:
    @pytest.mark.parametrize(
        ("methods", "paths", "not_paths"),
        [
            ("method=purge", ("/shop.Orders/purge",), ()),
            ("method=purge,drop*", ("/shop.Orders/purge", "/shop.Orders/drop*"), ()),
            ("method!=read", ("/shop.Orders/*",), ("/shop.Orders/read",)),
            ("", ("/shop.Orders/*",), ()),
        ],
    )
    def test_by_its_methods(
        self, tmp_path: Path, methods: str, paths: tuple[str, ...], not_paths: tuple[str, ...]
    ) -> None:
        found = denial(f"{methods} =>", tmp_path)
        assert (found.paths, found.not_paths) == (paths, not_paths)
        assert not found.principals

    def test_by_the_accounts_of_applications(self, tmp_path: Path) -> None:
        found = denial("application=batch,cron & method!=read =>", tmp_path)
        assert found.principals == ("*/ns/jobs/sa/batch-runner", "*/ns/jobs/sa/cron")
        assert found.not_paths == ("/shop.Orders/read",)

    def test_by_the_accounts_of_other_applications(self, tmp_path: Path) -> None:
        found = denial("application!=batch =>", tmp_path)
        assert (found.principals, found.not_principals) == ((), ("*/ns/jobs/sa/batch-runner",))

    @pytest.mark.parametrize(
        ("host", "blocks", "not_blocks"),
        [
            ("host=10.9.1.7", ("10.9.1.7",), ()),
            ("host=10.9.1.7,10.3.*", ("10.9.1.7", "10.3.0.0/16"), ()),
            ("host!=10.9.1.7", (), ("10.9.1.7",)),
        ],
    )
    def test_by_addresses_instead_of_a_route(
        self, tmp_path: Path, host: str, blocks: tuple[str, ...], not_blocks: tuple[str, ...]
    ) -> None:
        found = translated(f"{host} & method=purge =>", tmp_path)
        (file,) = found.hosts
        assert [(each.ip_blocks, each.not_ip_blocks) for each in file.denials] == [(blocks, not_blocks)]
        assert [route.status for route in file.routes] == [None]
        assert [each.verdict for each in found.statements if each.where.line == 7] == [Verdict.APPROXIMATE]

    def test_and_by_a_route_beside_it(self, tmp_path: Path) -> None:
        (file,) = translated("application=batch =>", tmp_path).hosts
        assert [route.status for route in file.routes] == [403, None]
        assert file.denials

    def test_in_a_policy_for_its_pods(self, tmp_path: Path) -> None:
        (rendered,) = render(translated("application=batch & method=purge =>", tmp_path).hosts)
        (policy,) = [
            each for each in yaml.safe_load_all(rendered.text) if each["kind"] == "AuthorizationPolicy"
        ]
        assert policy["spec"] == {
            "selector": {"matchLabels": {"app": "orders"}},
            "action": "DENY",
            "rules": [
                {
                    "to": [{"operation": {"ports": ["50051", "50052"], "paths": ["/shop.Orders/purge"]}}],
                    "from": [{"source": {"principals": ["*/ns/jobs/sa/batch-runner"]}}],
                }
            ],
        }


class TestARouteAloneRefuses:
    @pytest.mark.parametrize(
        "condition",
        [
            "application=web =>",
            "application=ba* =>",
            "attachments[lane]=blue =>",
            "zone=east =>",
            '"method=*Async =>"',
        ],
    )
    def test_whom_a_policy_cannot_tell(self, tmp_path: Path, condition: str) -> None:
        (file,) = translated(condition, tmp_path).hosts
        assert not file.denials
        assert 403 in {route.status for route in file.routes}

    def test_with_advice_to_name_the_account(self, tmp_path: Path) -> None:
        said = str(translated("application=web =>", tmp_path).statements)
        assert "--account web=NAMESPACE/ACCOUNT" in said
        assert "forge" in said


@pytest.mark.parametrize("line", ["method=purge =>", "application=batch =>", "host=10.9.1.7 =>"])
def test_nothing_is_denied_on_ports_that_are_not_known(tmp_path: Path, line: str) -> None:
    (tmp_path / "rule.yaml").write_text(RULE.format(condition=line))
    file = str(tmp_path / "rule.yaml")
    found = translate([file], DEFAULT, None, (), {"shop.Orders": "orders"}, accounts=ACCOUNTS)
    assert not any(host.denials for host in found.hosts)
    assert ("give --world or --protos" in str(found.statements)) == (line != "method=purge =>")


@pytest.mark.parametrize("condition", ["host=10.9.* & application=web =>", "host=1?.9 =>", "host=10.9.1* =>"])
def test_addresses_that_are_no_blocks_cannot_be_denied(tmp_path: Path, condition: str) -> None:
    found = translated(condition, tmp_path)
    assert not found.hosts
    assert Verdict.CANNOT in {each.verdict for each in found.statements}


@pytest.mark.parametrize("condition", ["host=10.9.* =>", "host!=10.9.* & method=purge =>"])
def test_both_sides_decide_alike_by_addresses(tmp_path: Path, condition: str) -> None:
    file = tmp_path / "rule.yaml"
    file.write_text(RULE.format(condition=condition))
    world = World("shop.Orders", "orders", (Instance("a", "10.0.0.1", 1, "orders", {}),), ())
    comparer = Comparer(
        rule_files.read([str(file)]).rules, DEFAULT, world, directory_of(world, (), {}), by_key=False
    )
    for method in ("purge", "read"):
        for address in ("10.9.1.7", "10.8.1.7"):
            consumer = Consumer("web", address, {})
            request = Request("r", "shop.Orders", method, None, None, consumer, {}, ())
            assert comparer.compare(request).verdict is Agreement.SAME


class TestTheCommand:
    @pytest.mark.parametrize("account", ["web", "web=shop", "web=shop/", "web=Shop/x", "=shop/web"])
    def test_refuses_malformed_accounts(self, tmp_path: Path, account: str) -> None:
        (tmp_path / "rule.yaml").write_text(RULE.format(condition="application=web =>"))
        found = rules("convert", "rule.yaml", "--account", account, "-o", "out", directory=tmp_path)
        assert (found.status, found.out) == (2, "")
        assert "--account" in found.err

    def test_takes_accounts(self, tmp_path: Path) -> None:
        (tmp_path / "rule.yaml").write_text(RULE.format(condition="application=web =>"))
        (tmp_path / "world.yaml").write_text(WORLD)
        arguments = ("--world", "world.yaml", "--account", "web=shop/web-sa", "-o", "out")
        assert rules("convert", "rule.yaml", *arguments, directory=tmp_path).status == 0
        assert "*/ns/shop/sa/web-sa" in (tmp_path / "out" / "orders.yaml").read_text()
