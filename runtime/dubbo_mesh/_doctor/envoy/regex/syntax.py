"""Reads regular expressions in RE2's syntax, into a tree.

What is rare is left out (`UnsupportedError`): classes by Unicode property, and matching without
regard to case outside ASCII. What RE2 refuses cannot stand in an Envoy's configuration.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from dataclasses import dataclass, field

from .program import ALWAYS, ASSERT, CHARACTER, Node, Step, UnsupportedError

_MOST_DEPTH = 100
_MOST_REPEATS = 1000  # which is RE2's limit too

_DIGITS = frozenset(map(ord, string.digits))
_WORDS = frozenset(map(ord, string.ascii_letters + string.digits + "_"))
_SPACES = frozenset(map(ord, "\t\n\f\r "))
_CLASSES = {"d": _DIGITS, "w": _WORDS, "s": _SPACES}
_PLAIN = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v", "a": "\a"}
_ASSERTIONS = {"b": "boundary", "B": "no boundary", "A": "begin", "z": "end"}
_POSIX = {
    "alnum": string.ascii_letters + string.digits,
    "alpha": string.ascii_letters,
    "ascii": "".join(map(chr, range(128))),
    "blank": "\t ",
    "cntrl": "".join(map(chr, range(32))) + "\x7f",
    "digit": string.digits,
    "graph": "".join(map(chr, range(33, 127))),
    "lower": string.ascii_lowercase,
    "print": "".join(map(chr, range(32, 127))),
    "punct": string.punctuation,
    "space": "\t\n\v\f\r ",
    "upper": string.ascii_uppercase,
    "word": string.ascii_letters + string.digits + "_",
    "xdigit": string.hexdigits,
}
_ASCII = frozenset(range(128))

_REPEAT = re.compile(r"\{([0-9]{1,4})(?:(,)([0-9]{1,4})?)?\}")
_GROUP = re.compile(r"\?(?:P?<[A-Za-z0-9_]+>|([imsU]*)(?:-([imsU]+))?([:)]))")
_HEXADECIMAL = re.compile(r"([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]{1,6})\}")


def parsed(pattern: str) -> Node:
    """Reads an expression.

    Raises:
        UnsupportedError: it has something that is not read here.
    """
    reader = _Reader(pattern)
    node = reader.alternatives(_Flags(), 0)
    if reader.at < len(pattern):
        raise UnsupportedError
    return node


@dataclass(slots=True)
class _Flags:
    names: frozenset[str] = field(default_factory=frozenset[str])

    def changed(self, on: str | None, off: str | None) -> _Flags:
        return _Flags((self.names | frozenset(on or "")) - frozenset(off or ""))


class _Reader:
    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0

    def alternatives(self, flags: _Flags, depth: int) -> Node:
        if depth > _MOST_DEPTH:
            raise UnsupportedError
        found: list[Node] = []
        parts: list[Node] = []
        while self.at < len(self.pattern) and self.pattern[self.at] != ")":
            if self._take("|"):
                found.append(Node("sequence", tuple(parts)))
                parts = []
            elif self.pattern.startswith("(?", self.at) and (changed := self._flags(flags)) is not None:
                flags = changed
            else:
                for part in self._atom(flags, depth):
                    parts.append(part)
                self._repeats(parts)
        found.append(Node("sequence", tuple(parts)))
        return found[0] if len(found) == 1 else Node("either", tuple(found))

    def _take(self, expected: str) -> bool:
        if not self.pattern.startswith(expected, self.at):
            return False
        self.at += len(expected)
        return True

    def _flags(self, flags: _Flags) -> _Flags | None:
        """Reads flags for the rest of the group, such as `(?i)`; None if this is a group."""
        match = _GROUP.match(self.pattern, self.at + 1)
        if match is None:
            raise UnsupportedError
        if match[3] != ")":
            return None
        self.at = match.end()
        return flags.changed(match[1], match[2])

    def _repeats(self, parts: list[Node]) -> None:
        """Reads what says how often the last part may come."""
        least: int
        most: int | None
        if self._take("*"):
            least, most = 0, None
        elif self._take("+"):
            least, most = 1, None
        elif self._take("?"):
            least, most = 0, 1
        elif (match := _REPEAT.match(self.pattern, self.at)) is not None:
            self.at = match.end()
            least = int(match[1])
            most = int(match[3]) if match[3] else None if match[2] else least
            if max(least, most or 0) > _MOST_REPEATS:
                raise UnsupportedError
        else:
            return
        self._take("?")  # prefers less, which changes nothing of whether all matches
        if self.pattern[self.at : self.at + 1] in ("*", "+", "?") or not parts:
            raise UnsupportedError
        parts[-1] = Node("repeat", (parts[-1],), Step(ALWAYS), least, most)

    def _atom(self, flags: _Flags, depth: int) -> Iterator[Node]:
        character = self.pattern[self.at]
        self.at += 1
        if character == "(":
            yield self._group(flags, depth)
        elif character == "[":
            yield self._set(flags)
        elif character == ".":
            yield _characters(frozenset() if "s" in flags.names else frozenset({ord("\n")}), negated=True)
        elif character == "^":
            yield _assertion("begin line" if "m" in flags.names else "begin")
        elif character == "$":
            yield _assertion("end line" if "m" in flags.names else "end")
        elif character == "\\":
            yield from self._escape(flags)
        elif character in "*+?":
            raise UnsupportedError
        else:
            yield _literal(character, flags)

    def _group(self, flags: _Flags, depth: int) -> Node:
        if self.pattern.startswith("?", self.at):
            match = _GROUP.match(self.pattern, self.at)
            if match is None:
                raise UnsupportedError
            self.at = match.end()
            flags = flags.changed(match[1], match[2])
        node = self.alternatives(flags, depth + 1)
        if not self._take(")"):
            raise UnsupportedError
        return node

    def _escape(self, flags: _Flags) -> Iterator[Node]:
        character = self.pattern[self.at : self.at + 1]
        if character in _ASSERTIONS and character:
            self.at += 1
            yield _assertion(_ASSERTIONS[character])
        elif character == "Q":
            quoted, _, _ = self.pattern[self.at + 1 :].partition("\\E")
            self.at += 1 + len(quoted)
            self._take("\\E")
            if not quoted:
                yield Node("sequence")
            for each in quoted:
                yield _literal(each, flags)
        elif character.lower() in _CLASSES and character:
            self.at += 1
            yield _characters(_CLASSES[character.lower()], negated=character.isupper())
        else:
            yield _literal(self._escaped(), flags)

    def _escaped(self) -> str:
        """The character that stands behind a backslash."""
        character = self.pattern[self.at : self.at + 1]
        self.at += 1
        if character == "x" and (match := _HEXADECIMAL.match(self.pattern, self.at)) is not None:
            self.at = match.end()
            code = int(match[1] or match[2], 16)
            if code > 0x10FFFF:
                raise UnsupportedError
            return chr(code)
        if character in _PLAIN:
            return _PLAIN[character]
        if not character or not character.isascii() or (character != "_" and ord(character) in _WORDS):
            raise UnsupportedError
        return character

    def _set(self, flags: _Flags) -> Node:
        negated = self._take("^")
        found: set[int] = set()
        first = True
        while first or not self._take("]"):
            first = False
            if self.at >= len(self.pattern):
                raise UnsupportedError
            found |= self._class() or self._range()
        if "i" in flags.names:
            if not found <= _ASCII:
                raise UnsupportedError
            found |= {ord(chr(code).swapcase()) for code in found if chr(code).isalpha()}
        return _characters(frozenset(found), negated=negated)

    def _class(self) -> set[int]:
        """Reads a named class within brackets; empty if there is none."""
        if self._take("[:"):
            name, closed, _ = self.pattern[self.at :].partition(":]")
            members = _POSIX.get(name.removeprefix("^"))
            if not closed or members is None:
                raise UnsupportedError
            self.at += len(name) + 2
            codes = {ord(each) for each in members}
            return set(_ASCII - codes) if name.startswith("^") else codes
        letter = self.pattern[self.at + 1 : self.at + 2]
        if self.pattern[self.at] != "\\" or letter.lower() not in _CLASSES or not letter:
            return set()
        self.at += 2
        codes = set(_CLASSES[letter.lower()])
        return set(_ASCII - codes) if letter.isupper() else codes

    def _range(self) -> set[int]:
        low = self._member()
        following = self.pattern[self.at : self.at + 2]
        if len(following) < 2 or following[0] != "-" or following[1] == "]":
            return {ord(low)}
        self.at += 1
        high = ord(self._member())
        # What is matched is ASCII, so no more of it need be kept.
        return set(range(ord(low), min(high, 127) + 1)) or {128}

    def _member(self) -> str:
        if self.at >= len(self.pattern):
            raise UnsupportedError
        character = self.pattern[self.at]
        self.at += 1
        return self._escaped() if character == "\\" else character


def _literal(character: str, flags: _Flags) -> Node:
    codes = {ord(character)}
    if "i" in flags.names:
        if not character.isascii():
            raise UnsupportedError
        if character.isalpha():
            codes.add(ord(character.swapcase()))
    return _characters(frozenset(codes), negated=False)


def _characters(codes: frozenset[int], *, negated: bool) -> Node:
    return Node("leaf", (), Step(CHARACTER, 0, 0, codes, negated))


def _assertion(name: str) -> Node:
    return Node("leaf", (), Step(ASSERT, 0, 0, frozenset(), False, name))
