"""What route configurations do to the headers of requests on their way to the provider.

Envoy's router reads timeouts before these changes and retries after them (`Filter::decodeHeaders`), also if
the request is external: what a route adds is not removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ..values import Json, flag, mapping, objects, text, texts

Action = Literal["append", "if absent", "overwrite", "if present"]

_ACTIONS: Mapping[str, Action] = {
    "APPEND_IF_EXISTS_OR_ADD": "append",
    "ADD_IF_ABSENT": "if absent",
    "OVERWRITE_IF_EXISTS_OR_ADD": "overwrite",
    "OVERWRITE_IF_EXISTS": "if present",
}


@dataclass(frozen=True, slots=True)
class Mutations:
    """Changes to the headers of requests.

    Attributes:
        add: names in lower case, values, and what is done if there is such a header.
        remove: names in lower case, which are removed before anything is added.
    """

    add: Sequence[tuple[str, str, Action]]
    remove: Sequence[str]

    @classmethod
    def of(cls, owner: Json) -> Mutations:
        """Reads `request_headers_to_add` and `request_headers_to_remove` of a message."""
        added: list[tuple[str, str, Action]] = [
            (text(each, "header", "key").lower(), text(each, "header", "value"), _action(each))
            for each in objects(owner, "request_headers_to_add")
        ]
        return cls(added, [name.lower() for name in texts(owner, "request_headers_to_remove")])


def _action(option: Json) -> Action:
    append = flag(option, "append")
    if append is None:
        append = flag(mapping(option, "append"), "value")
    if append is not None:
        return "append" if append else "overwrite"
    return _ACTIONS.get(text(option, "append_action"), "append")


def mutated(headers: Mapping[str, str], mutations: Iterable[Mutations]) -> Mapping[str, str]:
    """The headers of a request after these changes."""
    result = dict(headers)
    for each in mutations:
        for name in each.remove:
            result.pop(name, None)
        for name, value, action in each.add:
            present = name in result
            if action == "append" and present:
                result[name] = f"{result[name]},{value}"
            elif action == "overwrite" or present == (action == "if present"):
                result[name] = value
    return result
