"""Lays text out exactly as Black does."""

from __future__ import annotations


def lay_out(text: str) -> str:
    """`text` as Black would have it."""
    import black

    return black.format_str(text, mode=black.Mode())
