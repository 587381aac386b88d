"""Endpoints: the places that can serve a record."""

import enum
from dataclasses import dataclass


class AdminState(enum.StrEnum):
    """What people ask of an endpoint or a region."""

    ACTIVE = "Active"
    DRAINED = "Drained"


class Forced(enum.StrEnum):
    """What a person says of an endpoint for a while, above its checks.

    UP: it answers though it does not pass, where nobody passes. DOWN: it answers only where nobody else is fit.
    """

    UP = "Up"
    DOWN = "Down"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One place that can serve a record: addresses or a hostname, never both.

    `priority` 1 is tried first; `region` is the name of a failure domain, with or without a CloudRegion object.
    One that `is_last_resort` answers only where no other one is fit.
    """

    name: str
    region: str
    addresses: tuple[str, ...] = ()
    hostname: str | None = None
    priority: int = 1
    state: AdminState = AdminState.ACTIVE
    is_last_resort: bool = False
    forced: Forced | None = None

    def __post_init__(self) -> None:
        if bool(self.addresses) == (self.hostname is not None):
            raise ValueError(f"endpoint {self.name}: give addresses or a hostname, exactly one of them")
