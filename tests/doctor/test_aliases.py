"""Dubbo Java's consumers without a generated stub call rpcs by their lower-first names."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
from tests.doctor.running import examined, ids

DIRECT = {"DUBBO_MESH_MODE": "direct", "DUBBO_MESH_DIRECT": "pets=127.0.0.1:9", "DUBBO_MESH_PROBES": "off"}


def method(name: str, *aliases: str) -> dubbo_mesh.Method:
    return dubbo_mesh.Method(f"/demo.Pets/{name}", StringValue, StringValue, aliases=aliases)


@pytest.mark.finds("DM410")
@pytest.mark.parametrize(
    ("methods", "unanswered"),
    [
        ([method("Feed"), method("walkAll"), method("Groom", "groom")], "feed"),
        ([method("Feed"), method("Walk")], "feed, walk"),
        ([method("feed"), method("Groom", "groom")], None),
    ],
)
def test_users_are_told_of_rpcs_that_have_none(
    monkeypatch: pytest.MonkeyPatch, methods: list[dubbo_mesh.Method], unanswered: str | None
) -> None:
    module = ModuleType("doctor_pets_mesh")
    service = dubbo_mesh.Service("demo.Pets", *methods, app="pets", port=50051)
    vars(module)["PetsStub"] = type("PetsStub", (dubbo_mesh.Stub,), {"__mesh__": service})
    monkeypatch.setitem(sys.modules, module.__name__, module)
    found = [each for each in examined(module.__name__, variables=DIRECT) if each.check == "aliases"]
    if unanswered is None:
        assert found == []
        return
    assert [(each.id, each.status) for each in found] == [("DM410", "ok")]
    assert found[0].finding == f"demo.Pets does not answer to {unanswered}"
    assert 'aliases = ["lower-first"]' in found[0].remedy


def test_those_of_other_applications_are_a_matter_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("aliases_of_others_mesh")
    service = dubbo_mesh.Service("demo.Pets", method("Feed"), app="pets", port=50051)
    vars(module)["PetsStub"] = type("PetsStub", (dubbo_mesh.Stub,), {"__mesh__": service})
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for app, concerns in {"pets": True, "zoo": False}.items():
        findings = examined(module.__name__, variables=DIRECT | {"DUBBO_MESH_APP": app})
        assert ("DM410" in ids(findings)) is concerns
