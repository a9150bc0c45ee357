"""What `--json` prints, by its published schema. `running` validates all other output by it as well."""

from __future__ import annotations

import json
from typing import get_args

import jsonschema
import pytest

from dubbo_mesh._doctor.catalogue import CATALOGUE
from dubbo_mesh._doctor.finding import Finding, Status, problem
from dubbo_mesh._doctor.report.objects import VERSION, as_json
from tests.doctor.running import SCHEMA

ITEM = SCHEMA["items"]
ALL = [
    Finding("dial", "ok", "orders: 127.0.0.1:15001", subject="orders"),
    *(problem(id, "seen", subject="shop.v1.Orders/Place") for id in CATALOGUE),
]


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_it_describes_all_that_is_printed() -> None:
    printed = json.loads(as_json(ALL))
    jsonschema.validate(printed, SCHEMA)
    assert all(list(each) == ITEM["required"] == list(ITEM["properties"]) for each in printed)
    assert ITEM["properties"]["version"]["const"] == VERSION
    assert ITEM["properties"]["status"]["enum"] == list(get_args(Status))


@pytest.mark.parametrize(
    ("key", "value"), [("version", 2), ("status", "error"), ("id", "301"), ("severity", ""), ("finding", "")]
)
def test_it_refuses_anything_else(key: str, value: object) -> None:
    (printed,) = json.loads(as_json(ALL[1:2]))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate([printed | {key: value}], SCHEMA)


def test_the_keys_of_the_first_version_are_there() -> None:
    """Programs that read the output before problems had ids still can."""
    (printed,) = json.loads(as_json([problem("DM105", "seen")]))
    first = {key: printed[key] for key in ("check", "status", "finding", "remedy")}
    remedy = CATALOGUE["DM105"].remedy
    assert first == {"check": "dial", "status": "failed", "finding": "seen", "remedy": remedy}


def test_any_text_can_be_printed_anywhere() -> None:
    bad = "a\x1b[31m\n\u202e\ud800漢"
    text = as_json([Finding("dial", "ok", bad, subject=bad)])
    assert text.isascii()
    assert "\x1b" not in text
    assert json.loads(text)[0]["finding"] == bad
