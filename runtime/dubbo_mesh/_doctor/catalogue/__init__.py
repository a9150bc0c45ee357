"""All problems that the doctor knows, by their ids, which never change their meaning.

DM1xx is about addressing, DM2xx about the sidecar, DM3xx about the policy of calls, DM4xx about serving.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from .addressing import ADDRESSING
from .policy import POLICY
from .problem import Problem
from .serving import SERVING
from .sidecar import SIDECAR

CATALOGUE: Mapping[str, Problem] = MappingProxyType({**ADDRESSING, **SIDECAR, **POLICY, **SERVING})
