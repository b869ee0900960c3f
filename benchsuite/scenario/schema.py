"""The language as a JSON Schema, for editors that complete and check YAML as it is typed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchsuite.scenario.model import Document
from benchsuite.scenario.subjects import named

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(known: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The schema of a scenario file.

    It knows the mixers and their parameters, but neither filters nor what relates one value to another
    (divisibility, repeated labels); `benchsuite check` does.

    Args:
        known: mixer → names of its parameters; with blocks and backbones if it is a `Catalogue`.
    """
    schema: dict[str, Any] = _untitled(Document.model_json_schema())
    definitions: dict[str, Any] = schema["$defs"]
    for part in (schema, *definitions.values()):
        part["description"] = part["description"].partition("\n\n")[0]  # the rest is for readers of the code
    names = {"anyOf": [{"enum": list(known)}, {"type": "string", "pattern": ":"}]}
    _limit(definitions["Mixer"], names, _parameters(known, ("dim", "kernel")))
    definitions["MixerName"] = {**names, "description": "A mixer of benchsuite, or package.module:Class."}
    backbones = named(known, "backbone")
    networks = {"anyOf": [{"enum": list(backbones)}, {"type": "string", "pattern": ":"}]}
    backbone = definitions["Backbone"]
    _limit(backbone, networks, _parameters(backbones, ()))
    definitions["BackboneName"] = {**networks, "description": backbone["properties"]["name"]["description"]}
    axes = definitions["Sweep"]["properties"]
    for axis, word in (("mixer", "MixerName"), ("backbone", "BackboneName")):
        _name_the_words(axes[axis], word)
    schema["allOf"] = [
        {
            "if": {"properties": {"subject": {"enum": subjects}}, "required": required},
            "then": {"properties": {"sweep": {"required": [axis]}}},
        }
        for axis, subjects, required in (
            ("mixer", ["mixer", "block"], []),
            ("backbone", ["backbone"], ["subject"]),
        )
    ]
    definitions["Profile"] = {
        "type": "object",
        "description": "A partial scenario, laid over the rest: mappings merge, all else is replaced.",
        "properties": {key: _partial(value, definitions) for key, value in schema["properties"].items()},
        "additionalProperties": False,
    }
    schema["properties"]["profiles"] = {
        "type": "object",
        "description": "Named partial scenarios, applied with --profile.",
        "additionalProperties": {"$ref": "#/$defs/Profile"},
    }
    return {"$schema": DIALECT, "title": "benchsuite scenario", **schema}


def _limit(entry: dict[str, Any], names: Mapping[str, Any], rules: list[dict[str, Any]]) -> None:
    """What an entry of the sweep may be called, and what it takes then; its label is made from the name."""
    entry["properties"]["name"] |= names
    del entry["properties"]["label"]["default"]
    entry["allOf"] = rules


def _parameters(known: Mapping[str, Sequence[str]], axes: Sequence[str]) -> list[dict[str, Any]]:
    """If a subject is called so, only its own parameters may be given, and no axes; those that take the same
    are told together."""
    takers: dict[tuple[str, ...], list[str]] = {}
    for name, params in known.items():
        takers.setdefault(tuple(sorted(set(params) - set(axes))), []).append(name)
    rules = []
    for params, names in takers.items():
        allowed = {"propertyNames": {"enum": list(params)}}
        called = {"properties": {"name": {"enum": names}}, "required": ["name"]}
        rules.append({"if": called, "then": {"properties": {"params": allowed, "vary": allowed}}})
    return rules


def _name_the_words(axis: dict[str, Any], names: str) -> None:
    """A subject given as a bare word is one of the names, as an entry of the list and alone."""
    single, array, _ = axis["anyOf"]  # the last is null, which stands for an axis that is not there
    word = {"$ref": f"#/$defs/{names}"}
    entry = {"anyOf": [word, *(form for form in single["anyOf"] if "$ref" in form)]}
    axis["anyOf"] = [entry, {**array, "items": entry}]
    del axis["default"]


def _partial(schema: dict[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """A property of a profile: a section of it may leave out what the scenario's own must have."""
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    if "required" not in definitions.get(name, {}):
        return schema
    return {
        key: value
        for key, value in {**definitions[name], **schema}.items()
        if key not in ("required", "$ref")
    }


def _untitled(value: Any) -> Any:
    """Without the titles that pydantic makes of names; a property that is called "title" stays."""
    if isinstance(value, dict):
        return {k: _untitled(v) for k, v in value.items() if not (k == "title" and isinstance(v, str))}
    return [_untitled(item) for item in value] if isinstance(value, list) else value
