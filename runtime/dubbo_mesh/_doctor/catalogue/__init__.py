"""All problems that the doctor knows, by their ids, which never change their meaning.

DM0xx is about the doctor itself, DM1xx about addressing, DM2xx about the sidecar, DM3xx about the policy of
calls, DM4xx about serving.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from .addressing import ADDRESSING
from .doctor import DOCTOR
from .policy import POLICY
from .problem import Problem
from .serving import SERVING
from .sidecar import SIDECAR
from .trust import TRUST

CATALOGUE: Mapping[str, Problem] = MappingProxyType(
    {**DOCTOR, **ADDRESSING, **SIDECAR, **TRUST, **POLICY, **SERVING}
)


def nearest(id: str) -> str | None:
    """The id that was probably meant by one that is not in the catalogue: of the same hundred, if any is."""
    digits = "".join(char for char in id if char in "0123456789")[:3].ljust(3, "0")
    if digits == "000":
        return None
    same = [each for each in CATALOGUE if each[2] == digits[0]]
    return min(same, key=lambda each: abs(int(each[2:]) - int(digits)), default=None)
