"""The resources of hosts as YAML files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..yaml.render import Renderer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..istio.model import AppFile
    from ..policy.model import Labels
    from .resources import HostFile, Match, Route, StringMatch


class File(NamedTuple):
    """A file: its path relative to the output directory, and its text."""

    path: str
    text: str


class _Field(NamedTuple):
    """A field of an entry of `match`: a number, labels or a string match, or headers."""

    name: str
    is_first: bool = False
    number: int | None = None
    pairs: Labels = ()
    headers: tuple[tuple[str, StringMatch | None], ...] = ()


def render(hosts: Iterable[HostFile]) -> list[File]:
    """The files of hosts, one for each."""
    renderer = Renderer("rules")
    listed = list(hosts)
    names = [host.name for host in listed]
    return [_file(renderer, host, is_only=names.count(host.name) == 1) for host in listed]


def _file(renderer: Renderer, host: HostFile, *, is_only: bool) -> File:
    path = f"{host.name}.yaml" if is_only else f"{host.name}.{host.namespace or 'default'}.yaml"
    policy = host.policy
    view: dict[str, Any] = {
        **host._asdict(),
        "path": path,
        "sources": ", ".join(host.sources),
        "pod_labels": [(key, ", ".join(values) or "any value") for key, values in host.pod_labels],
        "routes": [_route(route) for route in host.routes],
        "has_destination_rule": bool(host.routes or host.subsets or policy != type(policy)()),
        "denials": [
            _View({**each._asdict(), "ports": [str(port) for port in each.ports]}) for each in host.denials
        ],
        "denial_name": f"{host.name}-denied-by-dubbo-rules",
        "telemetry_name": f"{host.name}-access-log",
    }
    text = renderer.render("host.yaml.j2", file=_View(view))
    return File(path, text if host.emitted is None else text + _others(host.emitted))


def _others(emitted: AppFile) -> str:
    """The resources that `emit=istio` writes beside the VirtualService and the DestinationRule."""
    renderer = Renderer("istio")
    parts: list[str] = []
    checks = emitted.health_checks
    if checks is not None:
        parts.append(renderer.render("health_check_filter.yaml.j2", file=emitted))
        parts += [
            renderer.render("health_checks.yaml.j2", file=emitted, namespace=namespace)
            for namespace in checks.namespaces
        ]
    if emitted.sidecar is not None:
        parts.append(renderer.render("sidecar.yaml.j2", file=emitted))
    return "".join(parts)


def _route(route: Route) -> _View:
    return _View({**route._asdict(), "match_fields": [list(_fields(match)) for match in route.matches]})


def _fields(match: Match) -> Iterator[_Field]:
    fields = (
        _Field("uri", pairs=((match.uri.kind, match.uri.value),)) if match.uri else None,
        _Field("headers", headers=match.headers) if match.headers else None,
        _Field("withoutHeaders", headers=match.without_headers) if match.without_headers else None,
        _Field("sourceLabels", pairs=match.source_labels) if match.source_labels else None,
        _Field("port", number=match.port) if match.port else None,
    )
    present = [field for field in fields if field is not None]
    for number, field in enumerate(present):
        yield field._replace(is_first=number == 0)


class _View:
    """What a template prints: a resource with what its template needs in addition."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.__dict__.update(values)
