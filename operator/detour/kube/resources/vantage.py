"""Vantage: a place that runs checks, and has a say in what is believed of endpoints."""

import enum
from typing import Annotated

from pydantic import Field, Strict, StringConstraints

from detour.kube.resources.cloudregion import Cloud
from detour.kube.resources.conditions import Conditions, LastIncident, Time
from detour.kube.resources.rules import Declared, Reported, Rules
from detour.kube.resources.values import WHOLE, Integer, label_rule
from detour.model.vantage import LONGEST_TEXT, MOST_FINDINGS, MOST_VOTES, References


class VantageSpec(Declared):
    """Where a vantage is, and how much it has to say."""

    cloud: Cloud = Field(default=Cloud.OTHER, description="Whose place it is: AWS, Azure, Google or Other.")
    region: Annotated[str, StringConstraints(max_length=63), Rules(label_rule("region"))] | None = Field(
        default=None,
        description="Region that it is in, named as endpoints name theirs, such as `aws-us-east-1`. On endpoints of its"
        " own region a vantage has no say while a voting one is declared elsewhere.",
    )
    votes: Annotated[int, Strict(), Field(ge=0, le=MOST_VOTES), WHOLE] = Field(
        default=1,
        description=f"How many votes it has, 0 to {MOST_VOTES}. With 0 it is only shown, and decides nothing.",
    )


class VantageState(enum.StrEnum):
    """Whether a vantage has a say."""

    TRUSTED = "Trusted"
    SUSPECTED = "Suspected"
    STALE = "Stale"
    UNKNOWN = "Unknown"
    NEW = "New"
    OFF = "Off"


class LatencyStatus(Reported):
    """How long the newest checks took that passed, in milliseconds."""

    median: Integer | None = Field(default=None, description="Half of them took no longer.")
    p90: Integer | None = Field(default=None, description="Nine of ten took no longer.")
    p99: Integer | None = Field(default=None, description="99 of 100 took no longer.")


class ReportStatus(Reported):
    """What the vantage itself wrote last. All else of the status is the operator's."""

    instance: Annotated[str, StringConstraints(max_length=253)] | None = Field(
        default=None, description="Which process wrote it."
    )
    number: Integer | None = Field(default=None, description="The how manieth report of that process it is.")
    at: Time | None = Field(default=None, description="When it was written, by the vantage's own clock.")
    version: Annotated[str, StringConstraints(max_length=64)] | None = Field(
        default=None, description="Version of the probe."
    )
    checks: Integer | None = Field(default=None, description="How many checks it runs.")
    failing: Integer | None = Field(default=None, description="How many of them fail.")
    digest: Annotated[str, StringConstraints(max_length=64)] | None = Field(
        default=None, description="Equal for vantages that run the same checks."
    )
    findings: Annotated[str, StringConstraints(max_length=LONGEST_TEXT)] | None = Field(
        default=None,
        description=f"What it finds of each check, {MOST_FINDINGS} of them at most, in base64: 8 octets that name the"
        " check; 4 with the state in the last two bits (0 unknown, 1 pass, 2 fail, 3 cannot be checked from there), and"
        " before them its age in hundredths of a second; 2 with the age of the newest check that bears it out.",
    )
    references: References | None = Field(
        default=None, description="Whether the reference checks pass by which it tells that it sees anything."
    )
    lateness_milliseconds: Integer | None = Field(
        default=None, description="By how much the check is overdue that waits longest."
    )
    stretch_percent: Integer | None = Field(
        default=None, description="How long its intervals are, in percent of what is declared."
    )
    clock_offset_milliseconds: Integer | None = Field(
        default=None, description="How far its clock is ahead of the API server's, which tells whole seconds."
    )
    latency_milliseconds: LatencyStatus | None = Field(default=None, description="How long checks took that passed.")


class VantageStatus(Reported):
    """What Detour says of a vantage, and what the vantage says of its checks."""

    observed_generation: Integer | None = Field(
        default=None, description="The `metadata.generation` that this status speaks of."
    )
    state: VantageState | None = Field(
        default=None,
        description="Trusted: it votes. Suspected or Stale: it abstains. Unknown: it has not been heard yet. New: it"
        " was created only just, and does not count yet. Off: it is the operator's own, which makes no checks.",
    )
    since: Time | None = Field(default=None, description="When the state began.")
    reason: str | None = Field(default=None, description="Why, as one CamelCase word.")
    message: str | None = Field(default=None, description="Why, as a sentence.")
    last_heard: Time | None = Field(default=None, description="Where it is Stale: when it was heard last.")
    report: ReportStatus | None = Field(default=None, description="What the vantage itself wrote last.")
    last_incident: LastIncident = None
    conditions: Conditions = Field(default=(), description="Trusted, and Warning where there is something to warn of.")
