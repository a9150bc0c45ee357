"""Rules as URLs, as registries kept them up to Dubbo 2.6: a YAML list of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

from ..model import ConditionRule, ConfigItem, ConfiguratorRule, Header, Parameter, Scalar
from ..problems import Problem
from ..scalars import has_long_number
from . import condition_rule
from .tree import Sequence

if TYPE_CHECKING:
    from ..model import Rule

_URL = re.compile(r"[a-z]+(:|%3A)(//|%2F%2F)", re.IGNORECASE)
"""How a URL begins; in ZooKeeper, all of it is encoded."""
_ROUTERS = {"condition", "route"}
_CONFIGURATORS = {"override", "absent"}
_ABOUT_THE_RULE = frozenset(
    [
        *(
            "category",
            "dynamic",
            "enabled",
            "application",
            "side",
            "group",
            "version",
            "interface",
            "priority",
        ),
        *("check", "runtime", "force", "name", "compatible_config", "configVersion", "register"),
    ]
)
"""Parameters of `override://` that are about the rule itself."""


def read(tree: Sequence, problems: list[Problem]) -> tuple[Rule, ...] | None:
    """Reads a list of URLs; None if it is not one."""
    urls = [item for item in tree.items if isinstance(item, Scalar) and _URL.match(item.text)]
    if not urls or len(urls) != len(tree.items):
        return None
    rules = [_rule(url, problems) for url in urls]
    return tuple([rule for rule in rules if rule is not None])


def lines(text: Scalar) -> Sequence:
    """The lines of a file that is no YAML but a URL a line."""
    return Sequence(
        tuple(
            [
                Scalar(each, plain=False, where=text.where._replace(line=text.where.line + number))
                for number, each in enumerate(text.text.split())
            ]
        ),
        text.where,
    )


def _rule(url: Scalar, problems: list[Problem]) -> Rule | None:
    begins = _URL.match(url.text)
    text = url.text if begins and begins[0].endswith("://") else unquote(url.text)
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
        parameters = dict(parse_qsl(parts.query, keep_blank_values=True, max_num_fields=1000))
    except ValueError as error:
        problems.append(Problem(url.where, f"not a URL of a rule: {error}"))
        return None
    if any(has_long_number(value) for value in parameters.values()):
        problems.append(Problem(url.where, "the URL has a number of more than 1,000 digits: shorten it"))
        return None
    service = unquote(parts.path).strip("/") or parameters.get("interface", "")
    header = _header(url, service, parameters)
    if parts.scheme in _CONFIGURATORS:
        everywhere = host in {"", "0.0.0.0"}  # noqa: S104
        address = "" if everywhere else f"{host}:{port}" if port else host
        return ConfiguratorRule(header, (_item(url, address, parameters),))
    if parts.scheme in _ROUTERS and parameters.get("router", "condition") == "condition":
        if "rule" not in parameters:
            problems.append(Problem(url.where, "the URL has no parameter rule"))
            return None
        condition = condition_rule.condition(Scalar(parameters["rule"], plain=False, where=url.where))
        return ConditionRule(header, (condition,))
    problems.append(Problem(url.where, _refusal(parts.scheme, parameters)))
    return None


def _refusal(scheme: str, parameters: dict[str, str]) -> str:
    if scheme == "empty":
        return "empty:// means that there are no rules: delete the URL"
    if scheme == "script" or (scheme in _ROUTERS and parameters.get("router") == "script"):
        return "a script is neither translated nor run: write conditions that say the same"
    return f"a rule as a URL must begin with condition, route, override or absent, not {scheme}://"


def _header(url: Scalar, service: str, parameters: dict[str, str]) -> Header:
    def scalar(name: str, default: str | None = None) -> Scalar | None:
        value = parameters.get(name, default)
        return None if value is None else Scalar(value, plain=True, where=url.where)

    group = parameters.get("group")
    version = parameters.get("version")
    key = f"{f'{group}/' if group else ''}{service}{f':{version}' if version else ''}"
    return Header(
        url.where,
        scope=Scalar("service", plain=False, where=url.where),
        key=Scalar(key, plain=False, where=url.where),
        force=scalar("force", "false"),
        enabled=scalar("enabled", "true"),
        runtime=scalar("runtime"),
        priority=scalar("priority"),
        dynamic=scalar("dynamic"),
        from_url=True,
    )


def _item(url: Scalar, address: str, parameters: dict[str, str]) -> ConfigItem:
    def scalar(text: str) -> Scalar:
        return Scalar(text, plain=True, where=url.where)

    application = parameters.get("application")
    return ConfigItem(
        url.where,
        scalar(parameters.get("side") or ("provider" if address else "consumer")),
        tuple(
            [
                Parameter(name, scalar(value), url.where)
                for name, value in parameters.items()
                if name not in _ABOUT_THE_RULE
            ]
        ),
        addresses=(scalar(address),) if address else (),
        applications=(scalar(application),) if application and application != "*" else (),
    )
