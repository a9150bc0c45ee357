"""Services are grouped by application, and contradictions are errors that name both sides."""

from __future__ import annotations

from pathlib import Path

import pytest

from protoc_gen_dubbo_mesh.errors import GenerationError
from protoc_gen_dubbo_mesh.mesh.grouping import Grouping
from protoc_gen_dubbo_mesh.mesh.model import App, Mesh
from protoc_gen_dubbo_mesh.mesh.routing import ACTIONS, Route, routes
from protoc_gen_dubbo_mesh.policy import config_file
from protoc_gen_dubbo_mesh.policy.config import Config
from protoc_gen_dubbo_mesh.policy.model import ServicePolicy
from tests.manifests.services import rpc, service


def group(*services: ServicePolicy, config: Config | None = None) -> Mesh:
    return Grouping(config, "headers").group(services)


def routed_by_headers(app: App) -> tuple[Route, ...]:
    return routes(app.name, app.services, app.subset_of, ACTIONS["headers"])


def config(directory: Path, text: str) -> Config:
    """A config with `[apps]`."""
    path = directory / "mesh.toml"
    path.write_text(text, encoding="utf-8")
    return config_file.read(str(path))


class TestApps:
    def test_services_of_one_app_share_it(self) -> None:
        (app,) = group(service("a.A", port=1), service("a.B", port=2), service("a.C", port=1)).apps
        ports = [(port.number, port.name, [each.name for each in port.services]) for port in app.ports]
        assert ports == [(1, "grpc-1", ["a.A", "a.C"]), (2, "grpc-2", ["a.B"])]

    def test_a_single_port_is_called_grpc(self) -> None:
        (app,) = group(service("a.A")).apps
        assert [(port.number, port.name) for port in app.ports] == [(80, "grpc")]

    def test_a_service_without_an_app_is_warned_of(self) -> None:
        grouping = Grouping(None, "headers")
        assert grouping.group([service("a.A", app=None)]).apps == ()
        [warning] = grouping.warnings
        assert warning.startswith("test.proto: service a.A has no app")

    def test_an_app_in_two_namespaces_has_two_files(self) -> None:
        mesh = group(service("a.A", namespace="one"), service("a.B", namespace="two"))
        assert [(app.stem, app.namespace) for app in mesh.apps] == [("demo.one", "one"), ("demo.two", "two")]

    def test_a_namespace_for_some_services_only(self) -> None:
        with pytest.raises(GenerationError, match=r"service a\.A .* none for service a\.B: set it for both"):
            group(service("a.A", namespace="one"), service("a.B"))


class TestLabels:
    def test_the_selector_has_what_all_services_agree_on(self) -> None:
        one, other = {"track": "stable", "version": "v1"}, {"track": "stable", "version": "v2"}
        services = [
            service(name, [rpc("r")], labels=(*labels.items(),))
            for name, labels in (("a.A", one), ("a.B", other))
        ]
        (app,) = group(*services).apps
        assert app.selector == (("app", "demo"), ("track", "stable"))
        subsets = [(subset.name, dict(subset.labels)) for subset in app.subsets]
        assert subsets == [("stable-v1", one), ("stable-v2", other)]
        routed = [
            ([match.path for match in route.matches], route.action.subset) for route in routed_by_headers(app)
        ]
        assert routed == [(["/a.A/"], "stable-v1"), (["/a.B/"], "stable-v2"), ([], None)]

    def test_an_own_label_for_the_app_wins(self) -> None:
        for key in ("app", "app.kubernetes.io/name"):
            (app,) = group(service("a.A", labels=((key, "x"),))).apps
            assert app.selector == ((key, "x"),)

    def test_the_label_for_the_app_is_not_in_names_of_subsets(self) -> None:
        stable, canary = [(("app", "x"), ("track", track)) for track in ("stable", "canary")]
        (app,) = group(service("a.A", labels=stable), service("a.B", labels=canary)).apps
        assert [(subset.name, subset.labels) for subset in app.subsets] == [
            ("canary", canary),
            ("stable", stable),
        ]

    def test_a_subset_that_all_services_share_needs_no_route_of_its_own(self) -> None:
        labels = (("version", "v1"),)
        (app,) = group(service("a.A", labels=labels), service("a.B", labels=labels)).apps
        assert [(route.matches, route.action.subset) for route in routed_by_headers(app)] == [((), "v1")]

    def test_subsets_of_the_same_values_are_told_apart_by_their_keys(self) -> None:
        (app,) = group(
            service("a.A", labels=(("track", "v1"),)), service("a.B", labels=(("version", "v1"),))
        ).apps
        assert [subset.name for subset in app.subsets] == ["v1", "version-v1"]

    def test_a_label_without_a_value_makes_a_valid_name(self) -> None:
        (app,) = group(service("a.A", labels=(("example.org/canary", ""),)), service("a.B"))[0]
        assert [subset.name for subset in app.subsets] == ["canary"]

    def test_subsets_that_cannot_be_told_apart(self) -> None:
        labels = [(("a", "v.1"),), (("a", "v-1"),), (("a", "v_1"),)]
        with pytest.raises(GenerationError, match=r"a=v_1 of service a\.S2 and a=v\.1 of service a\.S0"):
            group(*(service(f"a.S{number}", labels=each) for number, each in enumerate(labels)))

    def test_a_subset_whose_name_is_too_long(self) -> None:
        labels = (("a", "x" * 40), ("b", "y" * 40))
        with pytest.raises(GenerationError, match=r"a subset's name of 81 characters, and Istio allows 63"):
            group(service("a.A", labels=labels))


class TestSettings:
    def test_an_app_that_only_makes_calls(self, tmp_path: Path) -> None:
        text = '[apps.web]\nnamespace = "shop"\ncalls = ["demo", "stock.depot"]\n'
        mesh = group(service("a.A"), config=config(tmp_path, text))
        assert [(app.name, app.namespace, bool(app.ports)) for app in mesh.apps] == [
            ("demo", None, True),
            ("web", "shop", False),
        ]
        assert mesh.apps[1].settings.calls == (("demo", None), ("stock", "depot"))

    def test_an_app_with_services(self, tmp_path: Path) -> None:
        text = '[apps.demo]\ndrain = "3s"\ngrace = 10\ninstances = 2\ndeployment = "d"\ncontainer = "c"\n'
        (app,) = group(service("a.A"), config=config(tmp_path, text)).apps
        settings = app.settings
        assert (settings.drain, settings.grace, settings.instances) == (3.0, 10.0, 2)
        assert (settings.deployment, settings.container, settings.calls) == ("d", "c", None)

    @pytest.mark.parametrize(
        ("entry", "message"),
        [
            ("call = []", r"mesh.toml:2: unknown key apps.demo.call: must be one of calls, "),
            ('calls = ["a", "a"]', r"apps.demo.calls must name each app once, not \['a', 'a'\]"),
            ('calls = ["A"]', r"app must be a DNS label .* not 'A'"),
            ('calls = ["a.B"]', r"namespace must be a DNS label .* not 'B'"),
            ("calls = 1", r"apps.demo.calls must be a list of strings, not 1"),
            ("instances = 0", r"apps.demo.instances must be from 1 to 100, not 0"),
            ("drain = -1", r"apps.demo.drain must be a duration"),
            ('deployment = "A_B"', r"deployment must be a DNS label .* not 'A_B'"),
            ('namespace = "other"', r"app demo has namespace other here and none for service a.A"),
        ],
    )
    def test_mistakes(self, tmp_path: Path, entry: str, message: str) -> None:
        with pytest.raises(GenerationError, match=message) as raised:
            group(service("a.A"), config=config(tmp_path, f"[apps.demo]\n{entry}\n"))
        assert "mesh.toml:" in str(raised.value)
