"""Labels of the pods that run an app: what Kubernetes accepts as such.

The rules: "Labels and Selectors" in Kubernetes' documentation, and `IsQualifiedName` and
`IsValidLabelValue` in its apimachinery.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .model import Labels

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_PREFIX = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_LONGEST_PREFIX = 253


def is_name(text: str) -> bool:
    """Whether text can be the key of a label, without a prefix; and so its value, unless that is empty."""
    return _NAME.fullmatch(text) is not None


def checked(labels: Mapping[str, str], subject: str = "labels") -> Labels:
    """`labels`, sorted, if Kubernetes accepts all of them.

    Raises:
        ValueError: it does not; the message begins with `subject`.
    """
    for key, value in labels.items():
        prefix, slash, name = key.rpartition("/")
        if slash and (len(prefix) > _LONGEST_PREFIX or not _PREFIX.fullmatch(prefix)):
            raise ValueError(f"{subject}: the part of {key!r} before the slash must be a lower-case DNS name")
        if not is_name(name):
            raise ValueError(f"{subject}: {key!r} must be a label's key: {_RULE}")
        if value and not is_name(value):
            raise ValueError(f"{subject}: {key} must be empty or {_RULE}, not {value!r}")
    return tuple(sorted(labels.items()))


_RULE = "at most 63 letters, digits, dashes, underscores and dots, with a letter or digit at both ends"
