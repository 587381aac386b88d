"""The plain enactor: a process that checks once that its plan is the newest, and then writes.

    pick the newest plan ── is it newer than the one in force? ── install it ── move name after name ── clean up

Nothing in it is careless. It looks before it writes, it never applies half an address set, it tidies up after itself,
and three of them run beside each other so that one may fail. What it does not do is to check *while* it writes: the
answer to "is my plan the newest?" is as old as its slowest write, and nobody who cleans up knows who is still writing.

It is made to be told about: it says where it is, one JSON object on a line of standard output, and takes one word on a
line of standard input: `round` for a round of its work, `go` to leave a point at which it was asked to wait.

    python -m detour_lab.stories.october.enactor --plans=FOLDER --endpoint-url=URL --zone-id=ID [--wait-at=POINT ...]

The access key is taken from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from detour_lab.stories.october.plans import newest_plan
from detour_lab.stories.october.planzone import ENDPOINTS, REGIONAL, Account, PlanZone

KEPT_GENERATIONS = 10
"""Clean-up removes plans that are at least so many generations older than the one just applied."""

READY, CHECKED, APPLIED, CLEAN_UP, DONE, REFUSED = "ready", "checked", "applied", "clean-up", "done", "refused"
"""Points of a round. A round ends with DONE or REFUSED."""

Say = Callable[..., None]
"""`say(point, **details)` tells where the enactor is, and returns when it may go on."""


def before(endpoint: str) -> str:
    """Return the point right before an endpoint is moved."""
    return f"before {endpoint}"


class InconsistentStateError(Exception):
    """The zone contradicts itself, so that it cannot be told which plan is in force."""


class Enactor:
    """One enactor. `round` raises what botocore raises where Route 53 cannot be reached."""

    def __init__(self, *, zone: PlanZone, plans: Path, say: Say) -> None:
        self._zone = zone
        self._plans = plans
        self._say = say

    def round(self) -> None:
        """Apply the newest plan if it is newer than the one in force, and then clean up."""
        plan = newest_plan(self._plans)
        try:
            in_force = self._in_force()
        except InconsistentStateError as error:
            self._say(REFUSED, reason=str(error))
            return
        if plan is None or (in_force is not None and plan.number <= in_force):
            self._say(DONE, plan=in_force)
            return
        self._say(CHECKED, plan=plan.number, in_force=in_force)
        self._zone.install(plan)
        for endpoint in ENDPOINTS:
            self._say(before(endpoint), plan=plan.number)
            self._zone.point(endpoint, plan.number)
        self._say(APPLIED, plan=plan.number)
        self._clean_up(plan.number)
        self._say(DONE, plan=plan.number)

    def _in_force(self) -> int | None:
        """Return the number of the plan in force. Raises InconsistentStateError where that plan does not exist."""
        active = self._zone.active()
        if active is not None and active not in self._zone.installed():
            raise InconsistentStateError(
                f"{REGIONAL} points at plan {active}, which does not exist: what is in force cannot be told, so no "
                "plan can take its place; a person has to put the name right"
            )
        return active

    def _clean_up(self, applied: int) -> None:
        old = [number for number in self._zone.installed() if number <= applied - KEPT_GENERATIONS]
        self._say(CLEAN_UP, plan=applied, old=old)
        for number in old:
            self._zone.delete(number)


def _telling(wait_at: Collection[str]) -> Say:
    def say(point: str, **details: object) -> None:
        waits = point in wait_at
        print(json.dumps({"at": point, "waits": waits, **details}), flush=True)
        if waits and sys.stdin.readline().strip() != "go":
            sys.exit(f"the enactor waited at {point!r} for the word go, and got none")

    return say


def main(arguments: Sequence[str] | None = None) -> None:
    """Work until standard input ends."""
    parser = argparse.ArgumentParser(prog="python -m detour_lab.stories.october.enactor")
    parser.add_argument("--plans", required=True, type=Path, help="the folder that the planner writes into")
    parser.add_argument("--endpoint-url", required=True, help="address of the Route 53 API")
    parser.add_argument("--zone-id", required=True, help="ID of the hosted zone")
    parser.add_argument("--wait-at", action="append", default=[], help="a point at which to wait for the word go")
    given = parser.parse_args(arguments)
    say = _telling(given.wait_at)
    account = Account(
        endpoint_url=given.endpoint_url,
        zone_id=given.zone_id,
        access_key=os.environ["AWS_ACCESS_KEY_ID"],
        secret_key=os.environ["AWS_SECRET_ACCESS_KEY"],
    )
    enactor = Enactor(zone=PlanZone(account), plans=given.plans, say=say)
    say(READY)
    while line := sys.stdin.readline():
        if line.strip() != "round":
            sys.exit(f"an enactor is told `round`, not {line.strip()!r}")
        enactor.round()


if __name__ == "__main__":
    main()
