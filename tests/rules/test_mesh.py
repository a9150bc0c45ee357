"""What mesh rules do, as Dubbo's own router showed for the same rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from protoc_gen_dubbo_mesh.rules.deciding import decide
from protoc_gen_dubbo_mesh.rules.dialects import DIALECTS
from protoc_gen_dubbo_mesh.rules.interpreting import interpret
from protoc_gen_dubbo_mesh.rules.reading import rules as rule_files
from protoc_gen_dubbo_mesh.rules.worlds import Consumer, Instance, Request, World

if TYPE_CHECKING:
    from pathlib import Path

_RULE = """\
apiVersion: service.dubbo.apache.org/v1alpha1
kind: DestinationRule
metadata: {{name: orders}}
spec:
  host: orders
  subsets: [{{name: v1, labels: {{zone: east}}}}]
---
apiVersion: service.dubbo.apache.org/v1alpha1
kind: VirtualService
metadata: {{name: orders}}
spec:
  hosts: [orders]
  dubbo:
  - name: orders
    services: {services}
    routedetail:
    - name: east
      match: [{match}]
      route: [{{destination: {{host: orders, subset: v1}}}}]
"""
_INSTANCES = (
    Instance("east", "10.0.0.1", 20880, "orders", {"zone": "east"}),
    Instance("west", "10.0.0.2", 20880, "orders", {}),
)
_REQUEST = Request("r", "s", "find", None, None, Consumer("web", "10.9.9.9", {}), {}, ())
_EAST, _ALL = {("east",): 1.0}, {("east", "west"): 1.0}


@pytest.mark.parametrize(
    ("services", "match", "dialect", "expected"),
    [
        ("[{exact: s}]", "{}", "java-3.3", _EAST),
        ("[{exact: other}]", "{}", "java-3.3", _ALL),
        ("[{exact: other}, {noempty: x}]", "{}", "java-3.3", _EAST),
        ("[{wildcard: '*'}]", "{}", "java-3.2", _EAST),
        ("[{wildcard: '*'}]", "{}", "java-3.1", _ALL),
        ("[{exact: s}]", "{attachments: {dubboContext: {a: {empty: x}}}}", "java-3.3", _EAST),
        ("[{exact: s}]", "{attachments: {tracingContext: {a: {empty: x}}}}", "java-3.3", _ALL),
        ("[{exact: s}]", "{attachments: {tracingContext: {a: {noempty: x}}}}", "java-3.3", _ALL),
        ("[{exact: s}]", "{attachments: {tracingContext: {}}}", "java-3.3", _EAST),
    ],
)
def test_requests_go_where_dubbo_sends_them(
    services: str, match: str, dialect: str, expected: dict[tuple[str, ...], float], tmp_path: Path
) -> None:
    file = tmp_path / "rule.yaml"
    file.write_text(_RULE.format(services=services, match=match), encoding="utf-8")
    interpretation = interpret(rule_files.read([str(file)]).rules, DIALECTS[dialect])
    decision = decide(interpretation, World("s", "orders", _INSTANCES, (_REQUEST,)), _REQUEST)
    assert decision.shares == expected
