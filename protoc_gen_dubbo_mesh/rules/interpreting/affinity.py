"""What affinity rules mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import scalars
from ..model import Term
from ..stages import AffinityStage
from . import headers, patterns
from .headers import DroppedError
from .scopes import scope

if TYPE_CHECKING:
    from ..dialects import Dialect
    from ..model import AffinityRule


def stage(rule: AffinityRule, dialect: Dialect) -> AffinityStage:
    """The stage of an affinity rule.

    Raises:
        DroppedError: it has no effect.
    """
    if not dialect.has_affinity:
        raise DroppedError(
            rule.where,
            "affinityAware",
            f"{dialect.release} has no router for affinity rules, as no release of Java up to 3.3.5 has; "
            "dubbo-go 3.3 has one",
            is_error=False,
        )
    header = rule.header
    headers.go_value("runtime", header.runtime)
    headers.check_enabled(header, enabled=bool(headers.go_value("enabled", header.enabled)))
    key = rule.affinity_key.text.strip() if rule.affinity_key else ""
    if not key:
        raise DroppedError(rule.where, "affinityAware", "it has no key", is_error=False)
    try:
        ratio = scalars.go_integer(rule.ratio)
    except ValueError:
        ratio = -1
    if not 0 <= ratio <= 100:
        where = rule.ratio.where if rule.ratio else rule.where
        text = rule.ratio.text if rule.ratio else ""
        raise DroppedError(where, f"ratio: {text}", "ratio must be an integer from 0 to 100")
    test = patterns.test(Term(key, (f"${key}",)), dialect, right=True)
    where = rule.ratio.where if rule.ratio else rule.where
    return AffinityStage(scope(header), key, test, ratio, where, rule.where)
