"""Several checks for one endpoint, and verdicts that a user's own program writes with a role of its own."""

import datetime
import json

import pytest

from .operating import Manifest, Stage
from .operatorprocess import until
from .stories import story

pytestmark = pytest.mark.asyncio(loop_scope="session")


def verdict(stage: Stage, endpoint: str, said: str, seconds: float = 600.0) -> Manifest:
    """Return what a program says of an endpoint now."""
    expires_at = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)
    spec = {"verdict": said, "expiresAt": expires_at.strftime("%Y-%m-%dT%H:%M:%SZ"), "message": "checkouts"}
    metadata = {"name": f"synthetic-{endpoint}", "namespace": stage.namespace}
    return {"kind": "ExternalVerdict", "metadata": metadata, "spec": spec}


async def found(stage: Stage, place: int) -> dict[str, str]:
    """Return what the status says of each check of an endpoint."""
    endpoints = (await stage.status()).get("endpoints") or [{}, {}]
    return {each["name"]: each["verdict"] for each in endpoints[place].get("checks", ())}


@story
async def test_a_second_check_and_a_program_of_the_users_own_each_move_the_name(stage: Stage) -> None:
    virginia, netherlands = await stage.places("virginia", "netherlands")
    checks = [
        {"name": "gateway", "tcp": {"port": stage.lab.port}},
        {"name": "nobody", "role": "Observed", "tcp": {"port": 1}},
        {"name": "synthetic", "external": {"name": "synthetic-$endpoint"}},
    ]
    record = stage.record([virginia, netherlands], healthChecks={"checks": checks})
    good = [verdict(stage, each, "Healthy") for each in ("virginia", "netherlands")]
    await stage.apply(*stage.basics(), *good, record)
    await stage.serves(virginia.address)
    await stage.ready()

    async def is_told() -> bool:
        return await found(stage, 0) == {
            "healthCheck": "Healthy",
            "gateway": "Healthy",
            "nobody": "Unhealthy",
            "synthetic": "Healthy",
        }

    await until(is_told, "a status with every check")
    await stage.apply(verdict(stage, "virginia", "Unhealthy", seconds=8.0))
    await stage.serves(netherlands.address)

    async def is_said() -> bool:
        told = (await stage.status())["endpoints"][0]
        return told.get("reason") == "SaidElsewhere" and "synthetic-virginia says so: checkouts" in told["message"]

    await until(is_said, "a status that says who said so")
    table = await stage.kubectl("get", "verdicts")
    assert "Unhealthy" in table

    async def has_expired() -> bool:
        return (await found(stage, 0)).get("synthetic") == "Unknown"

    await until(has_expired, "a verdict that has expired")
    await stage.serves(netherlands.address)
    await stage.apply(verdict(stage, "virginia", "Healthy"))
    await stage.serves(virginia.address)


@story
async def test_who_may_write_a_verdict_may_write_nothing_else(stage: Stage) -> None:
    await stage.apply(*stage.basics())
    role = ("create", "role", "judge", "--verb=create,get,patch,update", "--resource=externalverdicts.detour.dev")
    await stage.kubectl(*role)
    await stage.kubectl("create", "serviceaccount", "judge")
    await stage.kubectl("create", "rolebinding", "judge", "--role=judge", f"--serviceaccount={stage.namespace}:judge")
    judge = f"--as=system:serviceaccount:{stage.namespace}:judge"
    manifest = {"apiVersion": "detour.dev/v1alpha1", **verdict(stage, "virginia", "Healthy")}
    done = await stage.lab.kubectl("apply", "-f", "-", judge, stdin=json.dumps(manifest))
    assert "created" in done
    for verb, resource in (("patch", "failoverrecords"), ("get", "secrets"), ("delete", "externalverdicts")):
        assert (await stage.kubectl("auth", "can-i", verb, resource, judge)).strip() == "no"
