"""Options of the whole suite."""

from __future__ import annotations

import signal

import hypothesis
import pytest

# How long an example takes says more of the machine than of what is tested.
hypothesis.settings.register_profile("untimed", parent=hypothesis.settings(), deadline=None)
hypothesis.settings.load_profile("untimed")

# A shell has what it starts in the background ignore SIGINT, and so would all that tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-goldens",
        action="store_true",
        help="write what the generator gives into golden/, in place of comparing",
    )
