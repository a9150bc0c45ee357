"""How templates of YAML are compiled: a value without a filter is printed as a scalar."""

from __future__ import annotations

from ..templating.dialect import Dialect
from . import escaping

YAML = Dialect(
    escaping=escaping.__name__,
    escape=escaping.scalar.__name__,
    filters={
        filter.__name__: filter
        for filter in (
            escaping.comment,
            escaping.comment_block,
            escaping.flow,
            escaping.flow_mapping,
            escaping.note,
        )
    },
    prologue="",
    arrange=list,
)
