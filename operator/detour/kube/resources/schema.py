"""From pydantic models to structural schemas, the part of OpenAPI that a CRD may use.

A structural schema has no `$ref`, no `anyOf` with null, no `additionalProperties: false` beside properties, and its
defaults stand where the API server fills them in. Pydantic writes all of those; this module takes them out.

Entries of a list get no default from the API server: tools that compare what is declared with what is stored merge
objects field by field but lists as a whole, and would find a difference for ever. Our own code fills those in, and the
description still tells them.
"""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]

KEPT = (
    "type",
    "format",
    "enum",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "default",
    "required",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-int-or-string",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type",
    "x-kubernetes-validations",
)


def structural(model: type[BaseModel], *, defaults: bool = True) -> Schema:
    """Return the structural schema of `model`; without `defaults` for a status, which the API server must not fill in.

    Raises ValueError where the model says something that a structural schema cannot express.
    """
    document = model.model_json_schema(by_alias=True, mode="validation")
    return _convert(document, document.get("$defs", {}), defaults=defaults)


def _convert(
    node: Mapping[str, Any], definitions: Mapping[str, Any], *, defaults: bool, in_list: bool = False
) -> Schema:
    """Convert one node; `in_list` says that it is within an entry of a list."""
    node = _resolved(node, definitions)
    unknown = {"anyOf", "oneOf", "allOf", "const", "pattern", "prefixItems", "exclusiveMinimum"} & node.keys()
    if unknown:
        raise ValueError(f"a structural schema cannot say {', '.join(sorted(unknown))}: {node}")
    result: Schema = {}
    description = " ".join(str(node.get("description", "")).split())
    default = _plain_default(node) if defaults else None
    if default is not None and "properties" not in node:
        description = f"{description} Default: {shown(default)}."
    if description:
        result["description"] = description.strip()
    result.update({key: node[key] for key in KEPT if key in node and key != "default"})
    if default is not None and not in_list:
        result["default"] = default
    if "items" in node:
        result["items"] = _convert(node["items"], definitions, defaults=defaults, in_list=True)
    if "properties" in node:
        result["properties"] = {
            name: _convert(child, definitions, defaults=defaults, in_list=in_list)
            for name, child in node["properties"].items()
        }
    elif isinstance(node.get("additionalProperties"), dict):
        result["additionalProperties"] = _convert(
            node["additionalProperties"], definitions, defaults=defaults, in_list=True
        )
    return result


def _resolved(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> Schema:
    """Return `node` with its reference and its "or null" replaced by what they mean; what stands beside them wins."""
    merged = dict(node)
    while True:
        if "$ref" in merged:
            target = definitions[merged.pop("$ref").removeprefix("#/$defs/")]
            merged = {**target, **merged}
        elif "anyOf" in merged:
            options = [option for option in merged.pop("anyOf") if option != {"type": "null"}]
            if len(options) != 1:
                raise ValueError(f"a structural schema has no alternatives: {node}")
            merged = {**options[0], **merged}
        else:
            return merged


def _plain_default(node: Mapping[str, Any]) -> Any:
    default = node.get("default")
    if isinstance(default, dict):
        default = {key: value for key, value in default.items() if value is not None}
    return None if default in ([], {}) else default


def shown(default: Any) -> str:
    """Return a default as the documentation writes it."""
    return f"`{json.dumps(default).strip(chr(34))}`"
