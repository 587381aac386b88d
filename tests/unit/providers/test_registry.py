"""Each kind of settings has its provider, budgets override quotas, and SDKs are loaded only when needed."""

import subprocess
import sys

import pytest

from detour.model.record import ObjectKey
from detour.model.rrset import RRset, RRType
from detour.model.zone import (
    AzureDNSSettings,
    BudgetOverride,
    GoogleCloudDNSSettings,
    ProviderSettings,
    RFC2136Settings,
    Route53Settings,
    Zone,
)
from detour.providers import registry
from detour.providers.commands import delete_command

ALL = [
    Route53Settings(),
    AzureDNSSettings("subscription", "group"),
    GoogleCloudDNSSettings("project"),
    RFC2136Settings("192.0.2.53:53"),
]


def zone(settings: ProviderSettings, budget: BudgetOverride | None = None) -> Zone:
    return Zone(ObjectKey("dns", "zone"), "uid", 1, "example.com", settings, budget=budget or BudgetOverride())


@pytest.mark.parametrize("settings", ALL, ids=lambda each: type(each).__name__)
def test_every_kind_of_zone_has_a_provider_with_limits_and_an_account(settings: ProviderSettings) -> None:
    limits = registry.limits_for(zone(settings))
    assert limits.batch_elements > limits.elements_per_replacement
    assert registry.account_of(zone(settings), None).startswith(registry.kind_of(settings).name)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (
            Route53Settings(zone_id="Z1"),
            "aws route53 change-resource-record-sets --hosted-zone-id Z1 --change-batch "
            '\'{"Changes":[{"Action":"DELETE","ResourceRecordSet":{"Name":"_detour.api.example.com","Type":"TXT",'
            '"TTL":300,"ResourceRecords":[{"Value":"\\"detour/1 x\\""}]}}]}\'',
        ),
        (Route53Settings(), "--hosted-zone-id $(aws route53 list-hosted-zones-by-name --dns-name example.com "),
        (
            AzureDNSSettings("subscription", "group"),
            "az network dns record-set txt delete --resource-group group "
            "--zone-name example.com --name _detour.api --yes",
        ),
        (
            GoogleCloudDNSSettings("project", "shop"),
            "gcloud dns record-sets delete _detour.api.example.com. --type=TXT --project=project --zone=shop",
        ),
        (GoogleCloudDNSSettings("project"), "--zone=$(gcloud dns managed-zones list --project=project "),
        (
            RFC2136Settings("[2001:db8::53]:53"),
            "printf 'server 2001:db8::53 53\\nupdate delete _detour.api.example.com. TXT\\nsend\\n' "
            "| nsupdate -k KEYFILE",
        ),
    ],
)
def test_the_command_that_deletes_a_set_names_it_and_its_zone(settings: ProviderSettings, expected: str) -> None:
    marker = RRset("_detour.api.example.com", RRType.TXT, 300, ('"detour/1 x"',))
    assert expected in delete_command(zone(settings), marker)


def test_a_budget_overrides_the_quotas_that_it_names_and_no_others() -> None:
    usual = registry.limits_for(zone(Route53Settings()))
    raised = registry.limits_for(zone(Route53Settings(), BudgetOverride(changes_per_second=500.0)))
    assert raised.changes_per_second == 500.0
    assert raised.changes_burst == usual.changes_burst
    assert raised.requests_per_second == usual.requests_per_second


def test_zones_share_an_account_by_what_the_quota_belongs_to() -> None:
    def account(settings: ProviderSettings, **secret: str) -> str:
        return registry.account_of(zone(settings), secret or None)

    key = {"aws_access_key_id": "AKIAEXAMPLE", "aws_secret_access_key": "very-secret"}
    assert account(Route53Settings("Z1"), **key) == account(Route53Settings("Z2"), **key)
    assert account(Route53Settings(), **key) != account(Route53Settings(), aws_access_key_id="AKIAOTHER")
    role = "arn:aws:iam::111122223333:role/"
    assert account(Route53Settings(role_arn=role + "a")) == account(Route53Settings(role_arn=role + "b"), **key)
    assert account(GoogleCloudDNSSettings("one", "a")) == account(GoogleCloudDNSSettings("one", "b"))
    assert account(GoogleCloudDNSSettings("one")) != account(GoogleCloudDNSSettings("two"))
    assert "very-secret" not in account(Route53Settings(), **key)
    assert "AKIAEXAMPLE" not in account(Route53Settings(), **key)


def test_no_sdk_is_loaded_before_a_zone_of_its_kind_appears() -> None:
    program = (
        "import sys, detour.providers.registry; print({'boto3', 'azure', 'google.cloud', 'dns'} & set(sys.modules))"
    )
    answer = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert answer.stdout.strip() == "set()"
