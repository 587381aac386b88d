"""manifests: `size` malformed or hostile manifests, made from the schema, are handed to the API server.

Each must be refused by it, or be given a condition by the operator that says why it is not acted on, or be a region,
which by itself changes nothing. The operator must stay up, and nothing may be written to any zone meanwhile.

The records are in a namespace that no DNSZone permits, and the zones name a Secret that does not exist: so whatever of
them is valid after all still leads nowhere, and to no address outside this machine.
"""

import asyncio
import copy
import json
from collections import Counter
from typing import Any

from kubernetes import client, config

from detour.kube.kinds import GROUP
from detour.kube.resources.definitions import RESOURCES
from detour_lab.clouds.labzones import EmulatedZone
from detour_lab.stage.stage import API, PATIENCE, Stage, StageError, wait_for
from detour_lab.stories.acceptance import Say
from detour_lab.stories.manifests import HostileManifest, Manifest, hostile_manifests
from detour_lab.stories.scenarios.result import Result

NAMESPACE = "hostile"
SETTLE_TIMEOUT = PATIENCE

BASES: tuple[Manifest, ...] = (
    {
        "apiVersion": f"{GROUP}/v1alpha1",
        "kind": "FailoverRecord",
        "metadata": {"name": "hostile", "namespace": NAMESPACE},
        "spec": {
            "hostname": "api.shop.example.com",
            "zones": [{"name": "shop-route53", "namespace": "shop"}],
            "endpoints": [
                {"name": "one", "region": "aws-us-east-1", "addresses": ["127.53.1.20"], "priority": 1},
                {"name": "two", "region": "azure-westeurope", "hostname": "images.westeurope.cloudapp.azure.test"},
            ],
            "healthCheck": {
                "http": {"port": 18080, "path": "/healthz", "headers": [{"name": "X-Probe", "value": "detour"}]},
                "interval": "2s",
                "recheckInterval": "500ms",
                "timeout": "1s",
            },
            "failback": {"mode": "Automatic", "holdDown": "5s", "maxChangesPerHour": 0},
        },
    },
    {
        "apiVersion": f"{GROUP}/v1alpha1",
        "kind": "DNSZone",
        "metadata": {"name": "hostile", "namespace": NAMESPACE},
        "spec": {
            "domain": "hostile.example.com",
            "rfc2136": {"server": "127.0.0.1:9"},
            "credentialsSecretRef": {"name": "there-is-none"},
            "budget": {"requestsPerSecond": 5, "requestsBurst": 10},
        },
    },
    {
        "apiVersion": f"{GROUP}/v1alpha1",
        "kind": "CloudRegion",
        "metadata": {"name": "hostile"},
        "spec": {"cloud": "AWS", "location": "nowhere"},
    },
)


async def play(size: int, say: Say) -> Result:
    """Hand over `size` manifests and see what becomes of them."""
    async with Stage() as stage:
        await stage.wait_until_ready()
        await stage.kubectl("create", "namespace", NAMESPACE)
        process = stage.operator.pid
        before = _commits(stage)
        schemas = {resource.kind: resource.schema() for resource in RESOURCES}
        hostile = hostile_manifests(BASES, schemas, seed=20251019, count=size)
        outcomes = await asyncio.to_thread(_hand_over, str(stage.plane.kubeconfig), list(hostile))
        say(f"refused by the API server: {outcomes['refused']}; accepted: {outcomes['accepted']}")
        try:
            await wait_for(
                lambda: _all_answered(stage), timeout=SETTLE_TIMEOUT, what="an answer to each accepted object"
            )
            unanswered = 0
        except StageError as error:
            say(str(error))
            unanswered = 1
        acted_on = await _acted_on(stage)
        for each in acted_on[:5]:
            say(f"acted on: {each}")
        alive = stage.operator.running and stage.operator.pid == process
        changed = _commits(stage) - before
        await stage.wait_until_ready()
    passed = alive and changed == 0 and unanswered == 0 and not acted_on and outcomes["odd"] == 0
    return Result(
        passed,
        {
            "manifests": size,
            "refused": outcomes["refused"],
            "answered_by_condition": outcomes["accepted"],
            "acted_on": len(acted_on),
            "operator_up": int(alive),
            "dns_changes": changed,
        },
    )


def _commits(stage: Stage) -> int:
    """Return how many changes the emulated zones have seen."""
    return sum(zone.store.log[-1].number for zone in stage.lab.zones.values() if isinstance(zone, EmulatedZone))


def _hand_over(kubeconfig: str, manifests: list[HostileManifest]) -> Counter[str]:
    """Create each manifest under a name of its own; count what the API server says."""
    outcomes: Counter[str] = Counter(refused=0, accepted=0, odd=0)
    api: Any = client.CustomObjectsApi(config.new_client_from_config(kubeconfig))  # type: ignore[no-untyped-call]  # so
    for number, hostile in enumerate(manifests):
        kind = hostile.description.partition(":")[0]
        resource = next(each for each in RESOURCES if each.kind == kind)
        body = copy.deepcopy(hostile.manifest)
        metadata = body.get("metadata")
        if isinstance(metadata, dict) and metadata.get("name") == "hostile":
            metadata["name"] = f"hostile-{number}"
        where = {"group": GROUP, "version": "v1alpha1", "plural": resource.plural, "body": body}
        try:
            if resource.namespaced:
                api.create_namespaced_custom_object(namespace=NAMESPACE, **where)
            else:
                api.create_cluster_custom_object(**where)
            outcomes["accepted"] += 1
        except client.ApiException as error:
            # An answer in the API server's own words is a refusal, whatever its number; anything else is odd.
            outcomes["refused" if _message(error) else "odd"] += 1
    return outcomes


def _message(error: client.ApiException) -> str:
    try:
        return str(json.loads(error.body or "{}").get("message", ""))
    except ValueError:
        return ""


async def _objects(stage: Stage, plural: str) -> list[dict[str, Any]]:
    return await stage.read(f"{API}/{plural}" if plural == "cloudregions" else f"{API}/namespaces/{NAMESPACE}/{plural}")


async def _all_answered(stage: Stage) -> bool:
    """Tell whether the operator has put conditions on every object that the API server accepted."""
    for plural in ("failoverrecords", "dnszones", "cloudregions"):
        for item in await _objects(stage, plural):
            if not item.get("status", {}).get("conditions"):
                return False
    return True


async def _acted_on(stage: Stage) -> list[str]:
    """Return the hostile records and zones that claim to be Ready."""
    found = []
    for plural in ("failoverrecords", "dnszones"):
        for item in await _objects(stage, plural):
            ready = [each for each in item["status"]["conditions"] if each["type"] == "Ready"]
            if not ready or ready[0]["status"] == "True":
                found.append(f"{item['kind']} {item['metadata']['name']}: {json.dumps(item['spec'])[:300]}")
    return found
