"""Variables that were set under another name."""

from __future__ import annotations

import os
from difflib import SequenceMatcher


def set_instead_of(name: str) -> str | None:
    """The variable that was probably set instead of `name`: `MY_POD_IP`, `POD_NAME_SPACE`.

    A hint for where `name` is missed, and nothing to report by itself: others read variables too.

    Returns:
        The variable's name; None if there is none.
    """
    wanted = _letters(name)
    found = [each for each in sorted(os.environ) if each != name and os.environ[each]]
    return next((each for each in found if _is_similar(_letters(each), wanted)), None)


def _letters(name: str) -> str:
    return "".join(char for char in name.upper() if char.isalnum())


def _is_similar(name: str, wanted: str) -> bool:
    return name.endswith(wanted) or SequenceMatcher(None, name, wanted).ratio() > 0.9
