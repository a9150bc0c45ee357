"""What several lines together do: all count in Dubbo, the first route in Istio."""

from __future__ import annotations

from protoc_gen_dubbo_mesh.rules.dialects import DEFAULT
from protoc_gen_dubbo_mesh.rules.directory import Directory
from protoc_gen_dubbo_mesh.rules.expressing import branches, express
from protoc_gen_dubbo_mesh.rules.expressing.steps import Branch
from protoc_gen_dubbo_mesh.rules.interpreting import interpret
from protoc_gen_dubbo_mesh.rules.resources import HostFile
from protoc_gen_dubbo_mesh.rules.verdicts import Verdict
from tests.rules.test_express_conditions import SERVICE, host, rule

_EAST, _WEST = (("zone", "east"),), (("zone", "west"),)


def _files(*lines: str) -> HostFile:
    interpretation = interpret([rule(lines)], DEFAULT)
    (file,) = express(interpretation, Directory((host(),)), DEFAULT).hosts
    return file


def _both(before: tuple[Branch, ...], after: tuple[Branch, ...]) -> tuple[tuple[Branch, ...], list[str]]:
    notes: list[str] = []
    return branches.narrowed(before, after, notes.append), notes


class TestRoutes:
    def test_for_several_lines_come_before_those_for_one(self) -> None:
        file = _files("method=place => zone=east", "application=web => lane=red", "method=drop => zone=west")
        labels = {each.name: each.labels for each in file.subsets}
        found = [
            (
                route.matches[0].uri.value.rpartition("/")[2]
                if route.matches and route.matches[0].uri
                else "",
                len(route.matches[0].headers) if route.matches else 0,
                labels.get(route.destinations[0].subset or "", ()),
            )
            for route in file.routes
        ]
        assert found == [
            ("place", 1, (("lane", "red"), *_EAST)),
            ("place", 0, _EAST),
            ("drop", 1, (("lane", "red"), *_WEST)),
            ("drop", 0, _WEST),
            ("", 1, (("lane", "red"),)),
            ("", 0, ()),
        ]

    def test_answer_503_if_no_pod_can_be_left(self) -> None:
        file = _files("method=place => zone=east", "=> zone=west")
        assert [(route.status, bool(route.matches)) for route in file.routes] == [
            (503, True),
            (None, True),
            (None, False),
        ]

    def test_that_refuse_stay_so(self) -> None:
        file = _files("method=place => ", "=> zone=west")
        assert [route.status for route in file.routes] == [403, None, None]

    def test_end_with_one_for_all_calls(self) -> None:
        last = _files("method=place => zone=east").routes[-1]
        assert (last.matches, last.destinations[0].subset) == ((), None)

    def test_that_do_the_same_are_one_with_several_matches(self) -> None:
        file = _files("method=place,find,drop => zone=east")
        assert [len(route.matches) for route in file.routes] == [3, 0]
        assert file.routes[0].matches[0].uri is not None
        assert file.routes[0].matches[0].uri.value == f"/{SERVICE}/place"


class TestBranches:
    def test_multiply_their_shares(self) -> None:
        found, _ = _both(
            (Branch(90, _EAST), Branch(10, _WEST)),
            (Branch(1, (("lane", "red"),)), Branch(3, (("lane", "x"),))),
        )
        assert [each.weight for each in found] == [9, 27, 1, 3]

    def test_keep_weights_as_they_are_written(self) -> None:
        found, _ = _both((Branch(1, ()),), (Branch(90, _EAST), Branch(10, _WEST)))
        assert [each.weight for each in found] == [90, 10]

    def test_fit_into_the_weights_of_istio(self) -> None:
        huge = (Branch(2**31 - 1, _EAST), Branch(1, _WEST))
        found, _ = _both((Branch(1, ()),), huge)
        assert sum(each.weight for each in found) < 2**31
        assert min(each.weight for each in found) == 1

    def test_that_contradict_leave_none(self) -> None:
        assert _both((Branch(1, _EAST),), (Branch(1, _WEST),)) == ((), [])

    def test_that_earlier_lines_leave_none_of_are_not_preferred(self) -> None:
        found, notes = _both((Branch(1, _EAST),), (Branch(1, (), ("zone=west", "lane=red")),))
        assert found == (Branch(1, _EAST),)
        assert notes == []

    def test_that_are_preferred_and_then_demanded_are_said_to_differ(self) -> None:
        found, notes = _both((Branch(1, (), ("zone=east",)),), (Branch(1, (("lane", "red"),)),))
        assert found == (Branch(1, (("lane", "red"),), ("zone=east",)),)
        assert "looks for those first" in notes[0]

    def test_that_are_preferred_twice_are_said_to_differ(self) -> None:
        found, notes = _both((Branch(1, (), ("zone=east",)),), (Branch(1, (), ("lane=red",)),))
        assert found == (Branch(1, (), ("zone=east", "lane=red")),)
        assert "does not look for lane=red" in notes[0]
        found, notes = _both((Branch(1, (), ("zone=east",)),), (Branch(1, (), ("zone=west",)),))
        assert found == (Branch(1, (), ("zone=east",)),)
        assert "skipped" in notes[0]


def test_a_line_on_labels_after_one_that_prefers_is_approximate() -> None:
    rules = [
        rule(["=> zone=east"], force=False),
        rule(["=> lane=red"], file="app.yaml", scope="application", key="orders"),
    ]
    translation = express(interpret(rules, DEFAULT), Directory((host(),)), DEFAULT)
    said = [each for each in translation.remarks if each.where.file == "app.yaml" and each.where.line == 10]
    assert Verdict.APPROXIMATE in {each.verdict for each in said}
