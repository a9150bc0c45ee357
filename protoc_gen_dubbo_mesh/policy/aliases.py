"""Aliases: further names that an rpc is served under, chosen per service by kind.

There are none by default, because authorization policies match the path: each alias is one more path that
they have to cover.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import GenerationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ..protoc.source_info import Path


def _lower_first(rpc: str) -> str:
    return rpc[0].lower() + rpc[1:]


KINDS: Mapping[str, Callable[[str], str]] = {"lower-first": _lower_first}
"""How each kind makes an alias of an rpc's name.

`lower-first` is what Dubbo Java's consumers call unless they use a generated stub: `sayHello` for `SayHello`
(apache/dubbo#9739).
"""


def checked(kinds: Iterable[str], subject: str = "aliases") -> tuple[str, ...]:
    """`kinds` without repetitions, if all of them are known.

    Raises:
        ValueError: one is not; the message begins with `subject`.
    """
    found = tuple(dict.fromkeys(kinds))
    for kind in found:
        if kind not in KINDS:
            raise ValueError(f"{subject} must be one or more of {', '.join(KINDS)}, not {kind!r}")
    return found


def assign(
    rpcs: Sequence[tuple[str, Path]], kinds: Sequence[str], describe: Callable[[Path], str]
) -> list[tuple[str, ...]]:
    """The aliases of each rpc of one service.

    An rpc whose name is already what a kind would make of it gets no alias of that kind.

    Args:
        rpcs: each rpc's name in the proto, and where it is declared.
        kinds: keys of `KINDS`.
        describe: names in an error what is declared at a path, and on which line.

    Raises:
        GenerationError: an alias is also another rpc's name or alias.
    """
    owners = dict(rpcs)
    aliases: list[tuple[str, ...]] = []
    for name, path in rpcs:
        own: list[str] = []
        for kind in kinds:
            alias = KINDS[kind](name)
            owner = owners.setdefault(alias, path)
            if owner != path:
                one, other = describe(path), describe(owner)
                raise GenerationError(
                    f"{one} and {other} would both be served as {alias!r}, an alias of the kind {kind}: "
                    "rename one of them, or remove that kind from the aliases of their service"
                )
            if alias != name and alias not in own:
                own.append(alias)
        aliases.append(tuple(own))
    return aliases
