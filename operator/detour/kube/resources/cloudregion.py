"""CloudRegion: a failure domain of a cloud, which people can take out of service as a whole."""

import enum
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from detour.kube.resources.conditions import Conditions, LastIncident, Time
from detour.kube.resources.rules import Declared, Reported, Rule, Rules, shaped
from detour.kube.resources.values import Integer
from detour.model.endpoint import AdminState


class Cloud(enum.StrEnum):
    """Whose region it is."""

    AWS = "AWS"
    AZURE = "Azure"
    GOOGLE = "Google"
    OTHER = "Other"


class CloudRegionSpec(Declared):
    """What people say of a region, and ask of it."""

    cloud: Cloud = Field(description="Whose region it is: AWS, Azure, Google or Other.")
    location: Annotated[
        str,
        StringConstraints(max_length=63),
        Rules(
            shaped(
                "[a-z0-9]([a-z0-9-]*[a-z0-9])?",
                "location must be the cloud's own name of the region, in lower case, such as us-east-1, westeurope or"
                " europe-west3",
            )
        ),
    ] = Field(description="The cloud's own name of the region, such as `us-east-1`, `westeurope` or `europe-west3`.")
    state: AdminState = Field(
        default=AdminState.ACTIVE, description="Active, or Drained to take all endpoints of the region out of DNS."
    )
    until: Annotated[Time, StringConstraints(max_length=64)] | None = Field(
        default=None,
        description="When a drain ends by itself, an RFC 3339 time such as `2026-11-30T18:00:00Z`. Without it a drain"
        " lasts until `state` is changed. A drain that is over stays over. Only with `state: Drained`.",
    )
    reason: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = Field(
        default=None,
        description="Why the region is drained, for whoever looks later. Only with `state: Drained`.",
    )

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.state == 'Drained' || !has(self.until)",
            "until is the end of a drain: give it only with state: Drained, or remove it",
            lambda region: region.state is AdminState.DRAINED or region.until is None,
        ),
        Rule(
            "self.state == 'Drained' || !has(self.reason)",
            "reason is why a region is drained: give it only with state: Drained, or remove it",
            lambda region: region.state is AdminState.DRAINED or region.reason is None,
        ),
    )


class RegionPhase(enum.StrEnum):
    """How a region is."""

    HEALTHY = "Healthy"
    SUSPECT = "Suspect"
    FAILING = "Failing"
    DRAINED = "Drained"
    UNKNOWN = "Unknown"


class EndpointCounts(Reported):
    """The region's endpoints, over all records."""

    total: Integer = Field(default=0, description="How many there are.")
    healthy: Integer = Field(default=0, description="How many of them are Healthy.")
    unhealthy: Integer = Field(default=0, description="How many of them are Unhealthy.")
    unknown: Integer = Field(default=0, description="How many of them are Unknown.")


class CloudRegionStatus(Reported):
    """What Detour says of a region."""

    observed_generation: Integer | None = Field(
        default=None, description="The `metadata.generation` that this status speaks of."
    )
    phase: RegionPhase | None = Field(default=None, description="Healthy, Suspect, Failing, Drained or Unknown.")
    since: Time | None = Field(default=None, description="When the phase began.")
    reason: str | None = Field(default=None, description="Why, as one CamelCase word.")
    message: str | None = Field(default=None, description="Why, as a sentence.")
    endpoints: EndpointCounts | None = Field(default=None, description="The region's endpoints, over all records.")
    drain_ended: Time | None = Field(
        default=None,
        description="The `until` of a drain that is over. It stays over, also where the clock is set back: for another"
        " one give another `until`.",
    )
    last_incident: LastIncident = None
    conditions: Conditions = Field(default=(), description="Healthy, and Warning where there is something to warn of.")
