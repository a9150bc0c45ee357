"""Random rules and worlds, one function for each kind, to compare our decisions with Dubbo's own.

They are made of few words, so that conditions hold now and then, and of all that versions of Dubbo read in
their own way: ranges, globs, references, keys without values, wrong types, missing keys.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from random import Random

_T = TypeVar("_T")
_VALUES = (
    *("east", "west", "e*", "*t", "e*t", "private", "public", "*", "", "2", "10", "$zone", "$region", "ea*"),
    *("1~5", "~3", "3~", "0~0", "-2~2", "x~y", "1~", "~", "a~5"),
)
_REQUESTS = 6
_LEFT_KEYS = (
    *("method", "methods", "application", "zone", "region", "host", "port", "address", "path", "protocol"),
    *("interface", "side", "version", "group", "attachments[level]", "attachments[a.b]", "attachments[x]"),
    *("arguments[0]", "arguments[1]", "arguments[0].name", "METHOD", "level"),
)
_LEFT_VALUES = (
    *("find*", "find", "place", "*All", "f*l", "p*", "get", "web", "cli", "w*", "10.9.*", "10.9.9.9"),
    *_VALUES,
)
_RIGHT_KEYS = (
    *("zone", "lane", "host", "port", "address", "application", "remote.application", "protocol", "path"),
    *("interface", "side", "level", "method", "weight"),
)
_RIGHT_VALUES = (
    *("10.0.0.1", "10.0.0.*", "10.0.0.2:20880", "*:20880", "20880", "orders", "web"),
    *_VALUES,
)
_BROKEN = ("=a => b", "a=,b => zone=east", "a=b==c => zone=east", "zone=east&&lane=public", ", => ")


class RandomRules:
    """Makes rules and worlds.

    Args:
        random: where chance comes from.
    """

    def __init__(self, random: Random) -> None:
        self._random = random

    def conditions(self) -> str:
        """A condition rule of v3.0, or an older one."""
        lines = [
            *self._maybe("configVersion", "v3.0", "v3.0", "v3.0", "v3.0", "v2.7", None),
            *("scope: service", "key: s"),
            *self._maybe("force", "true", "true", "false", "false", None, '"true"', "yes", "1"),
            *self._maybe("enabled", "true", "true", "true", "true", "true", None, "false", "on"),
            *self._maybe("priority", "1", "high", "-3", *[None] * 27),
            *self._maybe("valid", "true", "false", *[None] * 18),
            *self._maybe("runtime", "true", "false", *[None] * 8),
            "conditions:",
        ]
        lines += [f"- {json.dumps(self._condition())}" for _ in range(self._pick(1, 1, 2, 3))]
        return "\n".join(lines) + "\n"

    def shared_conditions(self) -> str:
        """A condition rule of v3.1."""
        lines = [
            *self._maybe("configVersion", "v3.1", "v3.1", "v3.1", "V3.1", "v3.1.1", "v3.2"),
            *("scope: service", "key: s"),
            *self._maybe("force", "true", "false", None),
            *self._maybe("enabled", "true", "true", "true", None, "false"),
            "conditions:",
        ]
        for _ in range(self._pick(1, 1, 2)):
            match = json.dumps(self._left()) if self._chance(0.95) else "true"
            lines.append(f"- from: {{match: {match}}}")
            destinations = self._pick(0, 1, 2, 2, 3)
            if destinations:
                lines.append("  to:")
            for _ in range(destinations):
                weight = self._pick(None, None, 1, 1, 90, 10, 0, -5)
                share = "" if weight is None else f", weight: {weight}"
                lines.append(f"  - {{match: {json.dumps(self._right())}{share}}}")
        return "\n".join(lines) + "\n"

    def tags(self) -> str:
        """A tag rule."""
        lines = [
            *self._maybe("configVersion", "v3.0", "v3.0", "v3.0", None, "v3.1", "V3.0", "v3.0.1"),
            "key: orders",
            *self._maybe("force", "true", "true", "false", None),
            *self._maybe("enabled", "true", "true", "true", None, "false"),
            "tags:",
        ]
        for _ in range(self._pick(1, 1, 2, 3)):
            lines.append(
                f"- name: {self._pick('gray', 'beta', 'gray|t1', 'gray|t1|x', 'blue', json.dumps('no'))}"
            )
            has = self._pick("addresses", "addresses", "match", "match", "addresses match", "")
            if "addresses" in has:
                lines.append(f"  addresses: {json.dumps([self._address() for _ in range(self._pick(1, 2))])}")
            if "match" in has:
                lines.append("  match:")
                lines += [f"  - {self._param_match()}" for _ in range(self._pick(1, 1, 2))]
        return "\n".join(lines) + "\n"

    def affinity(self) -> str:
        """An affinity rule."""
        lines = [
            *("configVersion: v3.1", "scope: service", "key: s"),
            *self._maybe("enabled", "true", "true", None, "false"),
            "affinityAware:",
            f"  key: {self._pick('zone', 'lane', 'region', json.dumps(''))}",
        ]
        ratio = self._pick(0, 1, 20, 33, 50, 100, 101, None)
        return "\n".join([*lines, *([] if ratio is None else [f"  ratio: {ratio}"])]) + "\n"

    def mesh(self) -> str:
        """A mesh rule."""
        services = self._pick("exact: s", "exact: s", "prefix: s", "exact: other", "regex: .*")
        subsets = [
            f"    - {{name: {name}, labels: {{{key}: {value}}}}}"
            for name, key, value in (("v1", "zone", "east"), ("v2", "zone", "west"), ("v3", "lane", "public"))
        ]
        lines = [
            *(
                "apiVersion: service.dubbo.apache.org/v1alpha1",
                "kind: DestinationRule",
                "metadata: {name: orders}",
            ),
            *("spec:", "  host: orders", "  subsets:", *subsets, "---"),
            *(
                "apiVersion: service.dubbo.apache.org/v1alpha1",
                "kind: VirtualService",
                "metadata: {name: orders}",
            ),
            *("spec:", "  hosts: [orders]", "  dubbo:", "  - name: orders"),
            f"    services: [{{{services}}}]",
            "    routedetail:",
        ]
        for number in range(self._pick(1, 2, 3)):
            lines.append(f"    - name: r{number}")
            entries = [self._mesh_match() for _ in range(self._pick(0, 1, 1, 2))]
            if entries:
                lines += ["      match:", *(f"      - {entry}" for entry in entries)]
            lines.append("      route:")
            for _ in range(self._pick(1, 1, 2)):
                subset = self._pick("v1", "v2", "v3", "nope")
                fallback = self._pick("", "", ", fallback: {destination: {host: orders, subset: v1}}")
                weight = self._pick("", "", ", weight: 1", ", weight: 90", ", weight: 0")
                lines.append(f"      - {{destination: {{host: orders, subset: {subset}{fallback}}}{weight}}}")
        return "\n".join(lines) + "\n"

    def world(
        self,
        rules: list[str],
        *,
        with_tags: bool = False,
        applications: tuple[str, ...] = ("orders", "other"),
    ) -> dict[str, Any]:
        """A world for some rules.

        Args:
            rules: the rules.
            with_tags: whether instances and requests have tags of their own.
            applications: those that instances may belong to.
        """
        instances = [
            {**self._instance(number, with_tags=with_tags), "application": self._pick(*applications)}
            for number in range(self._pick(1, 2, 3, 4))
        ]
        return {
            "service": "s",
            "application": "orders",
            "instances": instances,
            "requests": [self._request(number, with_tags=with_tags) for number in range(_REQUESTS)],
            "rules": rules,
        }

    def _condition(self) -> str:
        if self._chance(0.03):
            return self._pick(*_BROKEN)
        if self._chance(0.05):
            return self._right()
        return f"{self._left()}{self._pick(' => ', '=>')}{self._right()}"

    def _left(self) -> str:
        size = self._pick(0, 1, 1, 1, 2, 2, 3)
        if not size:
            return self._pick("", "true", "")
        return self._pick(" & ", "&").join(
            [self._term(("method", "application", *_LEFT_KEYS), _LEFT_VALUES) for _ in range(size)]
        )

    def _right(self) -> str:
        size = self._pick(0, 1, 1, 1, 1, 2, 3)
        if not size:
            return self._pick("", "false", "")
        return self._pick(" & ", "&").join([self._term(_RIGHT_KEYS, _RIGHT_VALUES) for _ in range(size)])

    def _term(self, keys: tuple[str, ...], values: tuple[str, ...]) -> str:
        key = self._pick(*keys)
        if self._chance(0.05):
            return key
        sign, blank = self._pick("=", "=", "=", "!="), self._pick("", "", " ")
        listed = self._pick(",", ", ").join([self._pick(*values) for _ in range(self._pick(1, 1, 1, 2, 3))])
        more = f"{self._pick('!=', '=')}{self._pick(*values)}" if self._chance(0.08) else ""
        return f"{key}{blank}{sign}{blank}{listed}{more}"

    def _address(self) -> str:
        return self._pick(
            *("10.0.0.1:20880", "10.0.0.2:20881", "10.0.0.*", "0.0.0.0:20880", "10.0.0.0/30", "10.0.0.1-2"),
            *("10.0.0.3", "*", "10.9.0.1:20880", "10.0.0.2-3:20881"),
        )

    def _param_match(self) -> str:
        value = self._pick(
            *("exact: east", "exact: public", "prefix: p", "prefix: e", "regex: 'e.*'", "wildcard: '*'"),
            *("wildcard: east", "empty: ''", "empty: x", "noempty: ''", "noempty: x", "exact: '3'"),
            "exact: east, prefix: w",
        )
        return f"{{key: {self._pick('zone', 'lane', 'level')}, value: {{{value}}}}}"

    def _mesh_match(self) -> str:
        method = self._pick("exact: find", "prefix: f", "regex: p.*", "exact: get")
        level = self._pick("exact: word", "prefix: w", "empty: x")
        return self._pick(
            f"{{method: {{name_match: {{{method}}}}}}}",
            f"{{sourceLabels: {{zone: {self._pick('east', 'west')}}}}}",
            f"{{attachments: {{dubboContext: {{level: {{{level}}}}}}}}}",
        )

    def _instance(self, number: int, *, with_tags: bool) -> dict[str, Any]:
        return {
            "name": f"i{number}",
            "address": f"10.0.0.{number + 1}:{self._pick(20880, 20881)}",
            "params": self._params(with_tags=with_tags),
        }

    def _request(self, number: int, *, with_tags: bool) -> dict[str, Any]:
        attachments: dict[str, str] = {}
        if self._chance(0.5):
            attachments["level"] = self._pick("1", "3", "10", "word", "", "-1", "99999999999")
        if self._chance(0.3):
            attachments["x"] = self._pick("east", "a", "find")
        if self._chance(0.2):
            attachments["a.b"] = "east"
        if with_tags and self._chance(0.7):
            attachments["dubbo.tag"] = self._pick(
                "gray", "gray", "beta", "gray|t1", "gray|t1|x", "gray|t9", "nope", "no", ""
            )
        if with_tags and self._chance(0.2):
            attachments["dubbo.force.tag"] = self._pick("true", "false", "x")
        return {
            "name": f"r{number}",
            "service": "s",
            "method": self._pick("find", "findAll", "place", "placeOrder", "get"),
            "consumer": {
                "application": self._pick("web", "cli", "w"),
                "host": self._pick("10.9.9.9", "10.9.1.7"),
                "params": self._params(with_tags=with_tags),
            },
            "attachments": attachments,
            "arguments": [self._pick("find", "1", "3", "east", "") for _ in range(self._pick(0, 1, 2))],
        }

    def _params(self, *, with_tags: bool) -> dict[str, str]:
        found: dict[str, str] = {}
        if self._chance(0.6):
            found["zone"] = self._pick("east", "west", "e*", "north")
        if self._chance(0.5):
            found["lane"] = self._pick("public", "private")
        if self._chance(0.3):
            found["level"] = self._pick("1", "3", "10", "x", "-1", "0")
        if self._chance(0.1):
            found["region"] = self._pick("east", "west", "e*")
        if with_tags and self._chance(0.3):
            found["dubbo.tag"] = self._pick("gray", "beta", "blue")
        return found

    def _maybe(self, key: str, *values: str | None) -> list[str]:
        value = self._random.choice(values)
        return [] if value is None else [f"{key}: {value}"]

    def _pick(self, *values: _T) -> _T:
        return self._random.choice(values)

    def _chance(self, share: float) -> bool:
        return self._random.random() < share
