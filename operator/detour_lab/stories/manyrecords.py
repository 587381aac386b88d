"""Thousands of FailoverRecords that share their two places, for stories and benches about great numbers of names."""

from collections.abc import Iterable

from detour_lab.services.services import RegionalService
from detour_lab.stage.stage import NAMESPACE

DOMAIN = "shop.example.com"

RECORD = """---
apiVersion: detour.dev/v1alpha1
kind: FailoverRecord
metadata: {{name: many-{number}, namespace: {namespace}}}
spec:
  hostname: r{number}.{domain}
  zones: [{{name: {zone}}}]
  importance: {importance}
  endpoints:
    - {{name: virginia, region: aws-us-east-1, addresses: [{first}], priority: 1}}
    - {{name: netherlands, region: azure-westeurope, addresses: [{second}], priority: 2}}
  failback: {{holdDown: 1h}}
  healthCheck:
    http: {{port: {port}, path: /healthz, host: {domain}}}
    interval: 5s
    recheckInterval: 500ms
    timeout: 1s
"""


def many_records(
    numbers: Iterable[int], *, zone: str, first: RegionalService, second: RegionalService, important_each: int = 0
) -> str:
    """Return the YAML of records with these numbers; one in `important_each` is important, with 0 none is."""
    return "".join(
        RECORD.format(
            number=number,
            namespace=NAMESPACE,
            domain=DOMAIN,
            zone=zone,
            importance="High" if important_each and number % important_each == 0 else "Normal",
            first=first.address,
            second=second.address,
            port=first.port,
        )
        for number in numbers
    )
