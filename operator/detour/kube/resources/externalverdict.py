"""ExternalVerdict: what a user's own program says of an endpoint, which a check of a FailoverRecord may take over."""

from typing import Annotated

from pydantic import Field, StringConstraints

from detour.kube.resources.conditions import Time
from detour.kube.resources.rules import Declared
from detour.model.health import Verdict

LONGEST_MESSAGE = 200


class ExternalVerdictSpec(Declared):
    """A verdict, and until when it counts. Whoever writes it renews it in time."""

    verdict: Verdict = Field(description="Healthy, Unhealthy, or Unknown: nothing is known just now.")
    expires_at: Annotated[Time, StringConstraints(max_length=64)] = Field(
        description="Until when it counts, an RFC 3339 time such as `2026-11-30T18:00:00Z`; for 10 minutes at most"
        " after it was written. One that has expired is Unknown."
    )
    message: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_MESSAGE)] | None = Field(
        default=None, description="Why, for the status of records that go by it."
    )
