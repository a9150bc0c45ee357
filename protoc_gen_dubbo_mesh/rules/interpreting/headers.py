"""What the keys that all rules have in common mean to one version of Dubbo."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .. import scalars
from ..verdicts import Remark, Verdict

if TYPE_CHECKING:
    from ..dialects import Dialect
    from ..model import Header, Scalar
    from ..positions import Position

_GO_VERSION = re.compile(r"[Vv](\d+(?:\.\d+)*)")


class DroppedError(Exception):
    """A rule has no effect in this version of Dubbo.

    Args:
        where: the line to blame.
        subject: what it says.
        why: why it has no effect.
        is_error: whether Dubbo logs an error, rather than obeying.
        crashes: whether Dubbo crashes.
    """

    def __init__(
        self, where: Position, subject: str, why: str, *, is_error: bool = True, crashes: bool = False
    ) -> None:
        super().__init__(why)
        self.crashes = crashes
        self.where = where
        self.subject = subject
        self.why = why
        self.is_error = is_error

    @property
    def remark(self) -> Remark:
        """What is said of the line."""
        return Remark(Verdict.INACTIVE, self.where, self.subject, self.why)


def check_java(header: Header, dialect: Dialect) -> None:
    """Checks that Java can read the keys (AbstractRouterRule.parseFromMap0).

    Raises:
        DroppedError: it cannot, and drops the rule.
    """
    if dialect.has_typed_fields:
        _check_typed(header)
        check_valid(header)
        return
    check_texts(header)
    if header.priority is not None and scalars.java_integer(header.priority) is None:
        raise DroppedError(
            header.priority.where,
            f"priority: {header.priority.text}",
            "priority is no integer: Java drops the rule",
        )
    check_valid(header)


def check_texts(header: Header) -> None:
    """Checks that Java can cast to String what it does (ClassCastException).

    Raises:
        DroppedError: it cannot, and drops the rule.
    """
    for name, value in (
        ("configVersion", header.config_version),
        ("scope", header.scope),
        ("key", header.key),
    ):
        if value is not None and not scalars.is_java_text(value):
            raise DroppedError(
                value.where,
                f"{name}: {value.text}",
                f"{name} is a {scalars.kind(value)} in YAML, and no text: Java drops the rule",
            )


def check_valid(header: Header) -> None:
    """Checks that a rule does not say that it is invalid.

    Raises:
        DroppedError: it does.
    """
    if not scalars.java_true(header.valid, default=True):
        raise _switched_off("valid", header.valid)


def _check_typed(header: Header) -> None:
    """Checks that fields have the types of the Java class that they are set in (PojoUtils in 2.7)."""
    fields = (
        ("force", header.force, scalars.Kind.BOOLEAN),
        ("enabled", header.enabled, scalars.Kind.BOOLEAN),
        ("runtime", header.runtime, scalars.Kind.BOOLEAN),
        ("valid", header.valid, scalars.Kind.BOOLEAN),
        ("dynamic", header.dynamic, scalars.Kind.BOOLEAN),
        ("priority", header.priority, scalars.Kind.INTEGER),
    )
    for name, value, wanted in fields:
        if value is not None and scalars.kind(value) not in {wanted, scalars.Kind.NULL}:
            raise DroppedError(
                value.where,
                f"{name}: {value.text}",
                f"{name} is a {scalars.kind(value)} in YAML and no {wanted}: Dubbo 2.7 drops the rule",
            )


def is_shared_in_java(header: Header, dialect: Dialect) -> bool:
    """Whether the conditions of a rule are of v3.1 (ConditionRuleParser).

    Raises:
        DroppedError: this version of Dubbo ignores it.
    """
    value = header.config_version
    if not dialect.has_shared_conditions or value is None or scalars.kind(value) is scalars.Kind.NULL:
        return False
    text = value.text.lower()
    if text.startswith("v3.1"):
        return True
    if text > "v3.1":
        raise DroppedError(
            value.where, f"configVersion: {value.text}", "Dubbo ignores rules of a version above v3.1"
        )
    return False


def is_shared_in_go(header: Header) -> bool:
    """Whether the conditions of a rule are of v3.1 (dubbo-go's generateCondition).

    Raises:
        DroppedError: dubbo-go refuses it.
    """
    value = header.config_version
    if value is None:
        raise DroppedError(header.where, "configVersion", "dubbo-go drops rules without configVersion")
    found = _GO_VERSION.fullmatch(value.text)
    if scalars.kind(value) is not scalars.Kind.TEXT or found is None:
        raise DroppedError(
            value.where, f"configVersion: {value.text}", "dubbo-go drops it: it must be text such as v3.0"
        )
    return [int(part) for part in found[1].split(".")] >= [3, 1]


def check_enabled(header: Header, *, enabled: bool) -> None:
    """Checks that a rule is switched on.

    Raises:
        DroppedError: it is not.
    """
    if not enabled:
        raise _switched_off("enabled", header.enabled, header.where)


def go_value(name: str, value: Scalar | None) -> bool | None:
    """A boolean of a rule in dubbo-go; None if it is absent.

    Raises:
        DroppedError: it is no boolean, and dubbo-go drops the rule.
    """
    try:
        return scalars.go_boolean(value)
    except ValueError:
        assert value is not None
        raise DroppedError(
            value.where, f"{name}: {value.text}", f"{name} is no boolean: dubbo-go drops the rule"
        ) from None


def _switched_off(name: str, value: Scalar | None, where: Position | None = None) -> DroppedError:
    if value is None:
        assert where is not None
        return DroppedError(where, name, f"skipped: {name} is missing, and counts as false", is_error=False)
    return DroppedError(value.where, f"{name}: {value.text}", f"skipped: {name} is false", is_error=False)
