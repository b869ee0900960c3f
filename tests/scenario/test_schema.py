from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from benchsuite.results.record import STATUSES
from benchsuite.scenario.model import PARTS, Document
from benchsuite.scenario.schema import json_schema

from .documents import FULL, HEAD, KNOWN

SCHEMA = json_schema(KNOWN)


TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "null": type(None),
}


def complaints(value: Any, schema: dict[str, Any], at: str = "$") -> Iterator[str]:
    """What a validator would say of the few keywords that the schema uses. Enough to tell good from bad."""
    if "$ref" in schema:
        yield from complaints(value, SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]], at)
    if "anyOf" in schema and all(list(complaints(value, option, at)) for option in schema["anyOf"]):
        yield f"{at}: none of the forms"
    for rule in schema.get("allOf", []):
        if not list(complaints(value, rule["if"], at)):
            yield from complaints(value, rule["then"], at)
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at}: not one of {schema['enum']}"
    if "const" in schema and value != schema["const"]:
        yield f"{at}: not {schema['const']}"
    wanted = schema.get("type", [])
    names = [wanted] if isinstance(wanted, str) else wanted
    if names and not any(isinstance(value, TYPES[name]) for name in names):
        yield f"{at}: not a {names}"
    if isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        yield f"{at}: does not match"
    if isinstance(value, int | float) and value < schema.get("minimum", value):
        yield f"{at}: too small"
    if isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            yield f"{at}: {len(value)} entries"
        for i, item in enumerate(value):
            yield from complaints(item, schema.get("items", {}), f"{at}[{i}]")
    if isinstance(value, dict):
        properties, more = schema.get("properties", {}), schema.get("additionalProperties", True)
        yield from (f"{at}.{key}: missing" for key in schema.get("required", []) if key not in value)
        for key, below in value.items():
            if key not in properties and more is False:
                yield f"{at}.{key}: unknown"
            names = schema.get("propertyNames", {})
            yield from complaints(key, names, f"{at}.{key}")
            below_schema = properties.get(key, more if isinstance(more, dict) else {})
            yield from complaints(below, below_schema, f"{at}.{key}")


GOOD = yaml.safe_load(HEAD + textwrap.dedent(FULL))


def test_a_good_document_has_the_shape_of_the_schema() -> None:
    assert list(complaints(GOOD, SCHEMA)) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"titel": "x"}, "$.titel: unknown"),
        ({"sweep": {"mixer": "hillo"}}, "$.sweep.mixer: none of the forms"),
        ({"sweep": {"mixer": ["msa", {"name": "hillo"}]}}, "$.sweep.mixer: none of the forms"),
        ({"sweep": {"mixer": [{"name": "hilo", "params": {"sise": 1}}]}}, "$.sweep.mixer: none of the forms"),
        ({"sweep": {"mixer": "msa", "batch": 0}}, "$.sweep.batch: none of the forms"),
        ({"sweep": {"mixer": "msa", "kernel": "mth"}}, "$.sweep.kernel: none of the forms"),
        ({"sweep": {"mixer": "msa", "resolution": [[1, 2, 3]]}}, "$.sweep.resolution: none of the forms"),
        ({"sweep": {}}, "$.sweep.mixer: missing"),
        ({"exclude": [{"where": "batch=1"}]}, "$.exclude[0].reason: missing"),
        ({"measure": {"max_s": "fast"}}, "$.measure.max_s: not a ['number']"),
        ({"profiles": {"cpu": {"sweep": {"btch": 4}}}}, "$.profiles.cpu.sweep.btch: unknown"),
        ({"profiles": {"cpu": {"exclude": [{"where": "x=1"}]}}}, "$.profiles.cpu.exclude[0].reason: missing"),
    ],
)
def test_a_wrong_document_has_not(change: dict[str, Any], expected: str) -> None:
    assert list(complaints({**GOOD, **change}, SCHEMA)) == [expected]


def test_a_profile_may_leave_out_what_the_scenario_must_have() -> None:
    assert list(complaints({**GOOD, "profiles": {"few": {"sweep": {"batch": 1}}, "none": {}}}, SCHEMA)) == []


def test_a_mixer_of_ones_own_may_have_any_parameters() -> None:
    mixers = ["my.zoo:Mixer", {"name": "my.zoo:Mixer", "params": {"depth": 3}}]
    assert list(complaints({**GOOD, "sweep": {"mixer": mixers}}, SCHEMA)) == []


def test_every_key_is_described_and_every_word_is_offered() -> None:
    parts = [SCHEMA, *(part for name, part in SCHEMA["$defs"].items() if not name.endswith("Name"))]
    for part in parts:
        assert part["description"]
        assert all(schema.get("description") for schema in part["properties"].values()), part
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert set(SCHEMA["properties"]) == {*Document.model_fields, "profiles"}
    assert SCHEMA["$defs"]["Mixer"]["properties"]["name"]["anyOf"][0]["enum"] == list(KNOWN)
    status = SCHEMA["$defs"]["Expect"]["properties"]["status"]["anyOf"][0]["enum"]
    assert status == [status for status in STATUSES if status not in ("ok", "skipped")]
    assert set(SCHEMA["$defs"]) >= {part.__name__ for path, part in PARTS.items() if path}


def test_the_schema_is_json_and_the_same_every_time() -> None:
    assert json.dumps(SCHEMA) == json.dumps(json_schema(KNOWN))
