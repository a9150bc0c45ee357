"""The report as text: ASCII if all names are, and 80 columns wide unless a name is longer."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, cast

from ..errors import printable
from . import mesh_defaults

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from .model import ConfiguredValue, Handling, Report, Rpc, Sent, Service

_WIDTH = 80
_INDENT = "  "
_LABEL = 17  # columns of labels, including two blanks
_VALUE = 16  # columns of values that are followed by their source on the same line

_SHOWN = {("namespace", None): "the caller's", ("idempotency", "IDEMPOTENCY_UNKNOWN"): "not set"}
"""Values that are shown in other words, by field and value."""

_NOTES = """\
A call's own timeout= and envoy= override what is shown. Stubs also send what the caller's environment sets, \
such as tri-consumer-appname (DUBBO_MESH_APP) and x-forwarded-for (DUBBO_MESH_FORWARDED_FOR).
"By default": without these headers, and with routes that configure neither timeouts nor retries.
"If obeyed": sidecars obey x-envoy-* headers in requests that they consider internal, and silently drop them \
from all others. As Istio configures its sidecars, no request is internal: see internal_address_config, \
DUBBO_MESH_FORWARDED_FOR, and `python -m dubbo_mesh doctor`. The conditions of a request are added to those \
of the route; its number of retries replaces the route's.
For an rpc that must not be run twice: retry.attempts = 1 asks for a single attempt; a VirtualService with \
`retries: {attempts: 0}` turns Istio's retries off for all callers, whether headers are obeyed or not.
"""
_EMITTED = """\
"Emitted routes": the routes that are written for this project (emit, policy) do this with calls without \
these headers, once they are applied.
"""
_CALLERS = """\
<namespace> is the caller's own (POD_NAMESPACE, or else default).
"""
_DOMAIN = """\
The caller's CLUSTER_DOMAIN replaces cluster.local.
"""


def render(report: Report) -> str:
    """The report as text, with a final newline."""
    blocks = [block for service in report.services for block in _service(service)]
    if report.warnings:
        blocks.append(["Warnings", "", *_paragraphs(report.warnings)])
    if report.services:
        blocks.append(["Notes", "", *_paragraphs(_notes(report).splitlines())])
    else:
        blocks.append(["There are no services."])
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _service(service: Service) -> Iterator[list[str]]:
    head = [*_heading(f"service {service.name}", service.where), ""]
    if service.address is None:
        head += _labelled("address", "none: set app in its option, in a config or as a parameter")
    else:
        head += _labelled("address", service.address)
    yield [*head, *_configured(service.identity)]
    for rpc in service.rpcs:
        yield _rpc(rpc)


def _rpc(rpc: Rpc) -> list[str]:
    kind = f"{rpc.shape}, {'idempotent' if rpc.idempotent else 'not marked idempotent'}"
    lines = [*_heading(f"rpc {rpc.name} ({kind})", rpc.where), ""]
    lines += _listed("path", rpc.paths)
    lines += _configured({"idempotency": rpc.idempotency_level, **rpc.policies})
    lines += _listed("a stub sends", _sent(rpc.sent))
    meshes = [(route.mesh, rpc.meshes[route.key]) for route in mesh_defaults.ROUTES]
    lines += _handled("by default", rpc, [(name, mesh.by_default) for name, mesh in meshes])
    if rpc.emitted is not None:
        lines += _listed("emitted routes", [_handling(rpc.emitted.by_default, rpc)])
        meshes.append(("emitted routes", rpc.emitted))
    if any(mesh.by_default != mesh.if_obeyed for _, mesh in meshes):
        lines += _handled("if obeyed", rpc, [(name, mesh.if_obeyed) for name, mesh in meshes])
    return [*lines, *_listed("caution", rpc.cautions)]


def _heading(what: str, where: str) -> list[str]:
    what, where = printable(what), printable(where)
    if len(what) + len(where) + 2 <= _WIDTH:
        return [f"{what}{where:>{_WIDTH - len(what)}}"]
    return [what, f"{where:>{_WIDTH}}"]


def _configured(values: Mapping[str, ConfiguredValue]) -> Iterator[str]:
    for name, configured in values.items():
        value = printable(_value(name, configured.value))
        source = printable(str(configured.origin))
        if len(name) > _LABEL - 2:
            yield f"{_INDENT}{name}"
            name = ""
        line = f"{_INDENT}{name:<{_LABEL}}{value:<{_VALUE}}  {source}"
        if len(value) <= _VALUE and len(line) <= _WIDTH:
            yield line
        else:
            yield from _labelled(name, value)
            yield _below(source)


def _value(name: str, value: Any) -> str:
    if (name, value) in _SHOWN:
        return _SHOWN[name, value]
    if value is None or value == ():
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return _seconds(value)
    if isinstance(value, tuple):
        return ", ".join(map(_item, cast("tuple[object, ...]", value)))
    return str(value)


def _item(item: object) -> str:
    return "=".join(cast("tuple[str, str]", item)) if isinstance(item, tuple) else str(item)


def _seconds(duration: float) -> str:
    return f"{duration:.9f}".rstrip("0").rstrip(".") + " s"


def _sent(sent: Sent) -> list[str]:
    headers = [f"{name}: {value}" for name, value in sent.headers]
    if sent.deadline is not None:
        return [f"a deadline of {_seconds(sent.deadline)} (grpc-timeout)", *headers]
    return headers or ["no deadline, and no headers for Envoy"]


def _handled(label: str, rpc: Rpc, handlings: Iterable[tuple[str, Handling]]) -> Iterator[str]:
    return _listed(label, [f"{name}: {_handling(each, rpc)}" for name, each in handlings])


def _handling(handling: Handling, rpc: Rpc) -> str:
    timeout = "no timeout" if handling.timeout is None else f"timeout {_seconds(handling.timeout)}"
    if handling.is_deadline:
        timeout += " (the deadline)"
    elif handling.timeout is not None:
        timeout += _remark(handling.timeout, rpc)
    if handling.per_try_timeout is not None:
        until = "until the next attempt" if handling.hedges else "for each attempt"
        timeout += f", {_seconds(handling.per_try_timeout)} {until}"
    if not handling.max_retries:
        return f"{timeout}; no retries"
    retries = "1 retry" if handling.max_retries == 1 else f"{handling.max_retries} retries"
    return f"{timeout}; {retries} on {', '.join(handling.retry_on)}"


def _remark(timeout: float, rpc: Rpc) -> str:
    """What Envoy's timeout means for an rpc, unless its deadline comes first."""
    if rpc.sent.deadline is not None and rpc.sent.deadline <= timeout:
        return ""
    if rpc.shape in {"client-streaming", "bidirectional-streaming"}:
        return " (from the last request on)"
    if rpc.sent.deadline is not None:
        return " (before the deadline)"
    return " (cuts the stream off)" if rpc.shape == "server-streaming" else ""


def _listed(label: str, items: Iterable[str]) -> Iterator[str]:
    for item in items:
        yield from _labelled(label, item)
        label = ""


def _labelled(label: str, text: str) -> list[str]:
    return _wrapped(printable(text), f"{_INDENT}{label:<{_LABEL}}", " " * (len(_INDENT) + _LABEL))


def _below(source: str) -> str:
    """A source that does not fit beside its value: in its own column or, if it is long, in the values'."""
    column = len(_INDENT) + _LABEL
    return " " * (column + _VALUE + 2 if column + _VALUE + 2 + len(source) <= _WIDTH else column) + source


def _notes(report: Report) -> str:
    addresses = [service.address for service in report.services if service.address is not None]
    notes = _CALLERS if any("<namespace>" in address for address in addresses) else ""
    emitted = any(rpc.emitted is not None for service in report.services for rpc in service.rpcs)
    return f"{notes}{_DOMAIN if addresses else ''}{_NOTES}{_EMITTED if emitted else ''}"


def _paragraphs(paragraphs: Iterable[str]) -> Iterator[str]:
    for paragraph in paragraphs:
        yield from _wrapped(printable(paragraph), f"{_INDENT}- ", f"{_INDENT}  ")


def _wrapped(text: str, first: str, others: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )
