"""Conditions: the standard Kubernetes way to say, one aspect at a time, how an object is."""

import enum
from typing import Annotated

from pydantic import Field, StringConstraints

from detour.kube.resources.rules import Reported, Unique
from detour.kube.resources.values import Integer

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""An RFC 3339 time in UTC."""


class ConditionStatus(enum.StrEnum):
    """Whether a condition holds."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(Reported):
    """One aspect of an object's state (Kubernetes API conventions, "Typical status properties")."""

    type: Annotated[str, StringConstraints(max_length=316)] = Field(description="The aspect, such as `Ready`.")
    status: ConditionStatus = Field(description="True, False or Unknown.")
    observed_generation: Integer | None = Field(
        default=None, description="The `metadata.generation` that the condition speaks of."
    )
    last_transition_time: Time = Field(description="When `status` last changed.")
    reason: Annotated[str, StringConstraints(max_length=1024)] = Field(
        description="Why, as one CamelCase word for programs."
    )
    message: Annotated[str, StringConstraints(max_length=32768)] = Field(
        default="", description="Why, as a sentence for people, with what to do where something is to be done."
    )


class Incident(Reported):
    """Something that was found wrong, and what Detour did about it."""

    at: Time = Field(description="When it was found.")
    reason: Annotated[str, StringConstraints(max_length=1024)] = Field(
        description="What it was, as one CamelCase word: Repaired, LedgerRestored or StatusRestored."
    )
    message: Annotated[str, StringConstraints(max_length=32768)] = Field(default="", description="As a sentence.")


class CommandsStatus(Reported):
    """The values of annotations that are commands: each is acted upon once."""

    failback: str | None = Field(default=None, description="Value of `detour.dev/failback` last acted upon.")
    take_over: str | None = Field(default=None, description="Value of `detour.dev/take-over` last acted upon.")


Commands = Annotated[
    CommandsStatus | None,
    Field(description="Commands by annotation that were acted upon; the same value does nothing more."),
]
LastIncident = Annotated[
    Incident | None, Field(description="What was found wrong here last and put right; its event does not last as long.")
]
Conditions = Annotated[tuple[Condition, ...], Field(max_length=32), Unique("type")]
