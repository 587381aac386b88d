"""What the plain enactor does at Route 53, through the AWS SDK as anybody would.

    plan-000101.plans.region.example.com   A      198.51.100.102, ...      the records of plan 101
    db.region.example.com                  A      alias of plan-000101...  an endpoint, which plan 101 serves now

Installing a plan writes its records; an endpoint is moved to it by one UPSERT of its alias, which replaces whatever is
there. So a name's addresses live in its plan's records, and go with them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from detour_lab.stories.october.plans import Plan

if TYPE_CHECKING:
    from mypy_boto3_route53 import Route53Client
    from mypy_boto3_route53.type_defs import ResourceRecordSetOutputTypeDef

DOMAIN = "region.example.com"
REGIONAL = f"db.{DOMAIN}"
ENDPOINTS = (f"db-fips.{DOMAIN}", f"db-accounts.{DOMAIN}", REGIONAL)
"""The names that a plan serves, in the order in which enactors go through them."""

PLAN_TTL = 5
_PLANS = f"plans.{DOMAIN}"
_CONFIG = Config(connect_timeout=30, read_timeout=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """How to reach the hosted zone: the API's address, the zone's ID, and an access key of the caller's own."""

    endpoint_url: str
    zone_id: str
    access_key: str
    secret_key: str


def plan_name(number: int) -> str:
    """Return the name of a plan's records, without a trailing dot."""
    return f"plan-{number:06}.{_PLANS}"


class PlanZone:
    """The hosted zone as an enactor sees it. Every call asks Route 53; errors are botocore's own."""

    def __init__(self, account: Account) -> None:
        self._zone_id = account.zone_id
        self._client: Route53Client = boto3.client(
            "route53",
            region_name="us-east-1",
            endpoint_url=account.endpoint_url,
            aws_access_key_id=account.access_key,
            aws_secret_access_key=account.secret_key,
            config=_CONFIG,
        )

    def active(self) -> int | None:
        """Return the number of the plan that the regional endpoint points at, None where it points at none yet."""
        for each in self._sets():
            if each["Name"] == f"{REGIONAL}." and "AliasTarget" in each:
                return _number(each["AliasTarget"]["DNSName"])
        return None

    def installed(self) -> list[int]:
        """Return the numbers of the plans whose records are in the zone, oldest first."""
        return sorted(_number(each["Name"]) for each in self._sets() if each["Name"].endswith(f".{_PLANS}."))

    def install(self, plan: Plan) -> None:
        """Write a plan's records."""
        values = [{"Value": address} for address in plan.addresses]
        self._change(
            "UPSERT",
            {"Name": plan_name(plan.number), "Type": "A", "TTL": PLAN_TTL, "ResourceRecords": values},
        )

    def point(self, endpoint: str, number: int) -> None:
        """Let an endpoint be served by a plan, whatever served it before."""
        target = {"HostedZoneId": self._zone_id, "DNSName": plan_name(number), "EvaluateTargetHealth": False}
        self._change("UPSERT", {"Name": endpoint, "Type": "A", "AliasTarget": target})

    def delete(self, number: int) -> None:
        """Remove a plan's records. A plan that somebody else removed meanwhile is left at that."""
        for each in self._sets():
            if each["Name"] == f"{plan_name(number)}.":
                self._change("DELETE", each)

    def _sets(self) -> Iterator["ResourceRecordSetOutputTypeDef"]:
        for page in self._client.get_paginator("list_resource_record_sets").paginate(HostedZoneId=self._zone_id):
            yield from page["ResourceRecordSets"]

    def _change(self, action: Any, record_set: Any) -> None:
        self._client.change_resource_record_sets(
            HostedZoneId=self._zone_id,
            ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": record_set}]},
        )


def _number(name: str) -> int:
    return int(name.partition(".")[0].removeprefix("plan-"))
