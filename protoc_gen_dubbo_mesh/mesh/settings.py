"""`[apps]` in the config: what the protos do not say of an application.

[apps.greeter]
namespace = "shop"          # of an app that has no services in this run
calls = ["inventory", "pricing.billing"]  # the apps that it calls, as APP or APP.NAMESPACE
deployment = "greeter-v1"   # its Deployment; default: the app's name
container = "server"        # its container there; default: the app's name
drain = "5s"                # how long traffic gets to move elsewhere before its servers stop
grace = "20s"               # how long running calls get after that
instances = 2               # how many run on a developer's machine
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ..policy.model import Duration
    from ..policy.toml_lines import Key
    from ..policy.toml_values import TomlValues

_KEYS = ("namespace", "calls", "deployment", "container", "drain", "grace", "instances")
_MOST_INSTANCES = 100


class AppSettings(NamedTuple):
    """An application's entry in `[apps]`. None means unset.

    Attributes:
        namespace: of its Kubernetes Service.
        calls: the applications that it calls, each with its namespace; None if they are not known.
        deployment: the name of its Deployment.
        container: the name of its container.
        drain: how long traffic gets to move elsewhere before its servers stop.
        grace: how long running calls get to end after that.
        instances: how many instances run on one machine.
        where: `file:line` of the entry; empty if there is none.
    """

    namespace: str | None = None
    calls: tuple[tuple[str, str | None], ...] | None = None
    deployment: str | None = None
    container: str | None = None
    drain: Duration | None = None
    grace: Duration | None = None
    instances: int | None = None
    where: str = ""


NO_SETTINGS = AppSettings()


def read(values: TomlValues, content: Mapping[str, Any]) -> dict[str, AppSettings]:
    """Reads `[apps]`, by the apps' names.

    Raises:
        GenerationError: a key is unknown, or a value is not allowed.
    """
    return {name: _entry(values, ("apps", name), entry) for name, entry in content.items()}


def _entry(values: TomlValues, key: Key, content: object) -> AppSettings:
    from dubbo_mesh._contract.validation import check_label

    table = values.table(key, content, _KEYS)
    values.check(key, lambda: check_label("app", key[-1]))

    def name(of: str) -> str | None:
        """The value of a key that is the name of something in Kubernetes."""
        if of not in table:
            return None
        text = values.text((*key, of), table[of])
        values.check((*key, of), lambda: check_label(of, text))
        return text

    def duration(of: str) -> Duration | None:
        return values.duration((*key, of), table[of]) if of in table else None

    return AppSettings(
        namespace=name("namespace"),
        calls=_calls(values, (*key, "calls"), table["calls"]) if "calls" in table else None,
        deployment=name("deployment"),
        container=name("container"),
        drain=duration("drain"),
        grace=duration("grace"),
        instances=_instances(values, (*key, "instances"), table["instances"])
        if "instances" in table
        else None,
        where=values.file.where(key),
    )


def _calls(values: TomlValues, key: Key, value: object) -> tuple[tuple[str, str | None], ...]:
    from dubbo_mesh._contract.validation import check_label

    found: list[tuple[str, str | None]] = []
    for text in values.strings(key, value):
        app, dot, namespace = text.partition(".")
        values.check(key, partial(check_label, "app", app))
        if dot:
            values.check(key, partial(check_label, "namespace", namespace))
        found.append((app, namespace or None))
    if len(set(found)) < len(found):
        raise values.wrong(key, f"must name each app once, not {value!r}")
    return tuple(found)


def _instances(values: TomlValues, key: Key, value: object) -> int:
    number = values.whole(key, value)
    if not 1 <= number <= _MOST_INSTANCES:
        raise values.wrong(key, f"must be from 1 to {_MOST_INSTANCES}, not {number}")
    return number
