"""Override and ClusterOverride: what people set above the verdicts of checks, for a while and for a reason."""

import enum
from typing import Annotated, ClassVar

from pydantic import Field, Strict, StringConstraints

from detour.kube.resources.conditions import Conditions, LastIncident, Time
from detour.kube.resources.rules import Declared, Reported, Rule, Rules, Unique
from detour.kube.resources.values import WHOLE, Flag, Integer, label_rule, object_name_rule
from detour.model.overrides import Action
from detour.model.region import SafetyRule
from detour.model.states import OverrideState

LARGEST_REVISION = 2**53 - 1
"""JSON carries no larger integer safely."""

ON_ENDPOINTS = ("Drain", "ForceUp", "ForceDown")
_ON_ENDPOINTS_IN_CEL = f"self.action in [{', '.join(repr(each) for each in ON_ENDPOINTS)}]"

UNCHANGING = Rule(
    "self == oldSelf",
    "an override is not changed once it is made: delete it and make another one",
    None,
)


class RecordAction(enum.StrEnum):
    """What an Override does to a FailoverRecord, or to an endpoint of it."""

    DRAIN = Action.DRAIN.value
    FORCE_UP = Action.FORCE_UP.value
    FORCE_DOWN = Action.FORCE_DOWN.value
    PIN = Action.PIN.value
    FREEZE = Action.FREEZE.value


class ClusterAction(enum.StrEnum):
    """What a ClusterOverride does to a region, or to a zone."""

    DRAIN = Action.DRAIN.value
    FORCE_UP = Action.FORCE_UP.value
    FORCE_DOWN = Action.FORCE_DOWN.value
    FREEZE = Action.FREEZE.value


class _Asked(Declared):
    """What both kinds have: why, until when, and who asks for it."""

    reason: Annotated[str, StringConstraints(min_length=1, max_length=200)] = Field(
        description="Why, for whoever looks later."
    )
    expires_at: Annotated[Time, StringConstraints(max_length=64)] = Field(
        description="When it ends by itself, an RFC 3339 time such as `2026-11-30T18:00:00Z`: 7 days after it was made"
        " at the latest. One that is over stays over."
    )
    requested_by: Annotated[str, StringConstraints(min_length=1, max_length=253)] = Field(
        description="Who asks for it: the user's own name, as `kubectl auth whoami` shows it. The chart's admission"
        " policy refuses another one."
    )


class OverrideSpec(_Asked):
    """What is set above the verdicts for one FailoverRecord of the same namespace. It is never changed."""

    action: RecordAction = Field(
        description="Drain: the endpoint takes no traffic. ForceDown: it answers only where no other one is fit."
        " ForceUp: it answers where no endpoint passes, whatever its checks say. Pin: the record serves an earlier"
        " revision. Freeze: nothing is written for the record. Freeze goes before Pin, that before Drain and ForceDown,"
        " these before verdicts, and ForceUp never before an endpoint that passes."
    )
    record: Annotated[str, StringConstraints(max_length=253), Rules(object_name_rule("record", "a FailoverRecord"))] = (
        Field(description="Name of the FailoverRecord.")
    )
    endpoint: Annotated[str, StringConstraints(max_length=63), Rules(label_rule("endpoint"))] | None = Field(
        default=None, description="Name of its endpoint. Only, and always, with Drain, ForceUp and ForceDown."
    )
    revision: Annotated[int, Strict(), Field(ge=1, le=LARGEST_REVISION), WHOLE] | None = Field(
        default=None, description="The revision of `status.history` that is served. Only, and always, with Pin."
    )

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            f"({_ON_ENDPOINTS_IN_CEL}) == has(self.endpoint)",
            "endpoint says which endpoint is meant: give it with Drain, ForceUp and ForceDown, and with nothing else",
            lambda spec: (spec.action.value in ON_ENDPOINTS) == (spec.endpoint is not None),
        ),
        Rule(
            "(self.action == 'Pin') == has(self.revision)",
            "revision says what is pinned: give it with Pin, and with nothing else",
            lambda spec: (spec.action is RecordAction.PIN) == (spec.revision is not None),
        ),
        UNCHANGING,
    )


class FrozenZoneSpec(Declared):
    """A DNSZone."""

    name: Annotated[str, StringConstraints(max_length=253), Rules(object_name_rule("zone.name", "a DNSZone"))] = Field(
        description="Name of the DNSZone."
    )
    namespace: Annotated[str, StringConstraints(max_length=63), Rules(label_rule("zone.namespace"))] = Field(
        description="Its namespace."
    )


class ClusterOverrideSpec(_Asked):
    """What is set above the verdicts for a region, or for a zone. It is never changed."""

    action: ClusterAction = Field(
        description="Drain: the region takes no traffic. ForceDown: it counts as failing, so its endpoints answer only"
        " where no other one is fit. ForceUp: it does not count as failing, whatever its canaries say; endpoints that"
        " fail leave all the same. Freeze: nothing changes in the zone, also no failover; repairs go on."
    )
    region: Annotated[str, StringConstraints(max_length=63), Rules(label_rule("region"))] | None = Field(
        default=None, description="Name of the CloudRegion. Only, and always, with Drain, ForceUp and ForceDown."
    )
    zone: FrozenZoneSpec | None = Field(default=None, description="The DNSZone. Only, and always, with Freeze.")
    set_aside: Annotated[tuple[SafetyRule, ...], Field(max_length=1), Unique()] = Field(
        default=(),
        description="Rules that the drain sets aside. MinRegionsInService: it is followed also where fewer regions stay"
        " in service than the installation asks for. Only with Drain.",
    )

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            f"({_ON_ENDPOINTS_IN_CEL}) == has(self.region)",
            "region says which CloudRegion is meant: give it with Drain, ForceUp and ForceDown, and with nothing else",
            lambda spec: (spec.action.value in ON_ENDPOINTS) == (spec.region is not None),
        ),
        Rule(
            "(self.action == 'Freeze') == has(self.zone)",
            "zone says which DNSZone is frozen: give it with Freeze, and with nothing else",
            lambda spec: (spec.action is ClusterAction.FREEZE) == (spec.zone is not None),
        ),
        Rule(
            "self.action == 'Drain' || !has(self.setAside) || size(self.setAside) == 0",
            "setAside has rules that a drain sets aside: give it only with Drain, or remove it",
            lambda spec: spec.action is ClusterAction.DRAIN or not spec.set_aside,
        ),
        UNCHANGING,
    )


class OverrideStatus(Reported):
    """What Detour says of an override."""

    observed_generation: Integer | None = Field(
        default=None, description="The `metadata.generation` that this status speaks of."
    )
    state: OverrideState | None = Field(
        default=None,
        description="InForce; Waiting: what it is about is not there; Expired: it is over; Refused: it is not"
        " followed.",
    )
    message: str | None = Field(default=None, description="What it does, or why it does not.")
    requested_by_verified: Flag = Field(
        default=False,
        description="true: the admission policy of the chart sees to it that `requestedBy` is who made it.",
    )
    ended_at: Time | None = Field(default=None, description="When it was over. It stays over, also if a clock is set.")
    last_incident: LastIncident = None
    conditions: Conditions = Field(default=(), description="InForce, and Warning where there is something to warn of.")
