"""How an object stands, in one word: what `kubectl get` shows, and what is counted."""

import enum


class RecordState(enum.StrEnum):
    """One word for a FailoverRecord. Where several fit, the first of them is told."""

    DELETING = "Deleting"
    """The object is being deleted; its name goes, or is kept back."""
    REFUSED = "Refused"
    """It cannot be followed as it is declared: nothing of it is written."""
    DOWN = "Down"
    """Nothing that the name answers with works, as far as checks tell."""
    HELD = "Held"
    """A change is decided, and the safety gate holds it back."""
    SUSPENDED = "Suspended"
    """A person asked that nothing is written."""
    PENDING = "Pending"
    """The name is not published yet."""
    STANDBY = "Standby"
    """Another site keeps the name."""
    DEGRADED = "Degraded"
    """The name works, and something is missing: a place to go to, a zone that follows, a check that can be made."""
    PINNED = "Pinned"
    """A person chose what is served; checks decide nothing."""
    FAILED_OVER = "FailedOver"
    """The name works, from another place than it would if all were well."""
    OK = "OK"


class OverrideState(enum.StrEnum):
    """One word for an Override or a ClusterOverride."""

    IN_FORCE = "InForce"
    WAITING = "Waiting"
    """What it is about is not there."""
    EXPIRED = "Expired"
    """It is over, and stays over."""
    REFUSED = "Refused"
    """It is not followed."""


class ZoneState(enum.StrEnum):
    """One word for a DNSZone. Where several fit, the first of them is told."""

    REFUSED = "Refused"
    """It cannot be used as it is declared."""
    FAILING = "Failing"
    """The provider, or the ledger, keeps it from being written."""
    FROZEN = "Frozen"
    """A person asked that nothing changes."""
    HELD = "Held"
    """The safety gate holds changes back."""
    THROTTLED = "Throttled"
    """The provider takes no more requests for now: changes wait."""
    STANDBY = "Standby"
    """Another site writes it."""
    PENDING = "Pending"
    """It has not been read yet."""
    OK = "OK"
