"""What script rules mean: code, which is neither translated nor run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..stages import OpaqueStage
from ..verdicts import Remark, Verdict
from . import headers
from .headers import DroppedError
from .scopes import scope

if TYPE_CHECKING:
    from ..dialects import Dialect
    from ..model import ScriptRule

_WHY = "it is code, which is neither translated nor run"
_ENGINE = (
    '; on JDK 15 and later without an engine for JavaScript it has no effect in Dubbo either ("unsupported '
    'route engine type")'
)


def stage(rule: ScriptRule, dialect: Dialect, remarks: list[Remark]) -> OpaqueStage:
    """The stage of a script rule.

    Raises:
        DroppedError: it has no effect.
    """
    where = rule.script.where
    if not dialect.has_script:
        why = f"{dialect.release} does not read script rules"
        raise DroppedError(where, "script", why, is_error=False)
    enabled = rule.header.enabled
    headers.check_enabled(rule.header, enabled=enabled is None or enabled.text.lower() == "true")
    remarks.append(
        Remark(
            Verdict.CANNOT,
            where,
            "script",
            _WHY + ("" if dialect.is_go else _ENGINE),
            "write condition or tag rules that say the same",
        )
    )
    if rule.type is not None:
        remarks.append(Remark(Verdict.CANNOT, rule.type.where, f"type: {rule.type.text}", _WHY))
    return OpaqueStage(scope(rule.header), where)
