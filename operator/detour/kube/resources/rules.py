"""Rules that a declaration must keep, stated once for both places that enforce them.

The API server evaluates the CEL form and shows the message to whoever runs `kubectl apply`. Objects can slip past it:
stored under an older CRD, or edited in etcd. So the operator checks the Python form of the same rule when it reads.
"""

import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

VALIDATIONS = "x-kubernetes-validations"
RULE_BROKEN = "rule_broken"
"""The error type under which pydantic reports a broken rule; its message is the rule's sentence."""

CAPITALS = frozenset({"arn", "dns", "id", "ttl", "url"})


@dataclass(frozen=True, slots=True)
class Rule:
    """`cel` and `holds` say the same of a value; `message` names the field, the rule and what to write instead.

    A rule about a change (CEL's `oldSelf`) has no Python form: `holds` is None.
    """

    cel: str
    message: str
    holds: Callable[[Any], bool] | None

    def enforce(self, value: Any) -> None:
        """Raise PydanticCustomError with the message where `value` breaks the rule."""
        if self.holds is not None and not self.holds(value):
            raise PydanticCustomError(RULE_BROKEN, "{sentence}", {"sentence": self.message})

    def schema(self) -> dict[str, str]:
        """Return the entry for `x-kubernetes-validations`."""
        return {"rule": self.cel, "message": self.message}


def in_cel(pattern: str) -> str:
    """Return a regular expression as it stands between the quotes of a CEL string literal."""
    return pattern.replace("\\", "\\\\")


def shaped(pattern: str, message: str) -> Rule:
    """Return the rule that the whole text matches `pattern`, in the syntax that RE2 and Python share.

    `pattern` has neither anchors nor single quotes.
    """
    compiled = re.compile(pattern, re.ASCII)
    return Rule(f"self.matches('^({in_cel(pattern)})$')", message, lambda text: compiled.fullmatch(text) is not None)


class Rules:
    """Annotated metadata that puts rules on a single value or list."""

    def __init__(self, *rules: Rule) -> None:
        self.rules = rules

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._obey, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        result = handler(schema)
        result[VALIDATIONS] = [*result.get(VALIDATIONS, []), *(rule.schema() for rule in self.rules)]
        return result

    def _obey(self, value: Any) -> Any:
        for rule in self.rules:
            rule.enforce(value)
        return value


class Unique:
    """Annotated metadata that makes a list a set, or with `keys` a map of objects by those fields.

    Kubernetes refuses repeats in both and merges them entry by entry in a server-side apply.
    """

    def __init__(self, *keys: str) -> None:
        self.keys = keys

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._obey, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        result = handler(schema)
        result["x-kubernetes-list-type"] = "map" if self.keys else "set"
        if self.keys:
            result["x-kubernetes-list-map-keys"] = list(self.keys)
        return result

    def _identity(self, entry: Any) -> Hashable:
        return tuple(getattr(entry, key) for key in self.keys) if self.keys else entry

    def _obey(self, value: Any) -> Any:
        if len({self._identity(entry) for entry in value}) < len(value):
            raise PydanticCustomError(RULE_BROKEN, "has the same entry twice; keep one of them")
        return value


def camel_case(name: str) -> str:
    """Return the Kubernetes spelling of a Python name: `endpoint_url` is `endpointURL`."""
    first, *rest = name.split("_")
    return first + "".join(word.upper() if word in CAPITALS else word.capitalize() for word in rest)


class Declared(BaseModel):
    """Base of what people declare: nothing unknown, nothing converted, and the class's own `rules` kept."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=camel_case, populate_by_name=True)

    rules: ClassVar[tuple[Rule, ...]] = ()

    @model_validator(mode="after")
    def _obey(self) -> Self:
        for rule in self.rules:
            rule.enforce(self)
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        result = handler.resolve_ref_schema(handler(schema))
        if cls.rules:
            result[VALIDATIONS] = [rule.schema() for rule in cls.rules]
        return result


class Reported(BaseModel):
    """Base of what Detour writes into status. Every field may be missing: a status is built up over time."""

    model_config = ConfigDict(frozen=True, alias_generator=camel_case, populate_by_name=True)
