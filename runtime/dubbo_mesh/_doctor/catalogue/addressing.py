"""DM1xx: where calls go."""

from __future__ import annotations

from collections.abc import Mapping

from .problem import Problem

ADDRESSING: Mapping[str, Problem] = {
    "DM101": Problem(
        "environment",
        "error",
        "a variable of the environment has a malformed value",
        "Stubs, channels and servers raise ConfigurationError when they are created.",
        "correct the variable, or unset it",
    ),
    "DM102": Problem(
        "environment",
        "error",
        "a DUBBO_MESH_ variable is set that does not exist",
        "Nothing reads it, so what it was meant to change stays as it is.",
        "unset it, or correct its name",
    ),
    "DM103": Problem(
        "environment",
        "warning",
        "DUBBO_MESH_DIRECT has addresses that are not used",
        "Calls go to the sidecar, whatever the addresses are.",
        "to dial its addresses, set DUBBO_MESH_MODE, or DUBBO_MESH_FALLBACK, to direct",
    ),
    "DM104": Problem(
        "dial",
        "error",
        "a target cannot be understood, or imported",
        "The doctor cannot tell what would be called.",
        "name it as APP, APP:PORT, APP.NAMESPACE:PORT or a generated module",
    ),
    "DM105": Problem(
        "dial",
        "error",
        "the mode has no address for a target",
        "A stub raises ConfigurationError when it is created.",
        "set the variable that is named",
    ),
    "DM106": Problem(
        "reachable",
        "error",
        "a name cannot be resolved",
        "Calls fail with UNAVAILABLE, “DNS resolution failed”.",
        "in Kubernetes: is there a Service of that name in that namespace? "
        "Elsewhere: set DUBBO_MESH_EGRESS to the sidecar's listener, or DUBBO_MESH_MODE=direct",
    ),
    "DM107": Problem(
        "reachable",
        "error",
        "nothing accepts connections where calls would go",
        "Calls fail with UNAVAILABLE.",
        "is the provider's Service up, and does the sidecar intercept connections of this process?",
    ),
}
