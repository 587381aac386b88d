"""The CustomResourceDefinitions: names, columns, and the schemas of spec and status."""

from dataclasses import dataclass, field
from typing import Any

from detour.kube.kinds import GROUP, VERSION
from detour.kube.origins import NO_STATUS_YET
from detour.kube.resources.cloudregion import CloudRegionSpec, CloudRegionStatus
from detour.kube.resources.dnszone import DNSZoneSpec
from detour.kube.resources.dnszone_status import DNSZoneStatus
from detour.kube.resources.externalverdict import ExternalVerdictSpec
from detour.kube.resources.failoverrecord import FailoverRecordSpec
from detour.kube.resources.failoverrecord_status import FailoverRecordStatus
from detour.kube.resources.override import ClusterOverrideSpec, OverrideSpec, OverrideStatus
from detour.kube.resources.rules import VALIDATIONS, Declared, Reported, Rule
from detour.kube.resources.schema import Schema, structural
from detour.kube.resources.values import LABEL
from detour.kube.resources.vantage import VantageSpec, VantageStatus

API_VERSION = f"{GROUP}/{VERSION}"
CATEGORY = "detour"

ONE_WRITER = {"x-kubernetes-map-type": "atomic"}
"""A status is written by the operator alone, so the API server need not remember who wrote which field of it.

Otherwise that is about half of an object, and it is worked through with each write of a status.
"""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `kubectl get`; `wide` ones appear with `-o wide` only."""

    name: str
    path: str
    type: str = "string"
    wide: bool = False
    description: str = ""

    def document(self) -> dict[str, Any]:
        """Return the entry for `additionalPrinterColumns`."""
        shown = {"name": self.name, "type": self.type, "jsonPath": self.path, "priority": int(self.wide)}
        return {**shown, "description": self.description} if self.description else shown


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of custom resource; one without a `status` is not written by the operator.

    By fields that are `selectable` (JSON paths) `kubectl get --field-selector` finds objects.
    """

    kind: str
    plural: str
    short_name: str
    namespaced: bool
    summary: str
    spec: type[Declared]
    status: type[Reported] | None
    columns: tuple[Column, ...]
    rules: tuple[Rule, ...] = field(default=())
    other_short_name: str = ""
    selectable: tuple[str, ...] = ()

    @property
    def singular(self) -> str:
        return self.kind.lower()

    @property
    def crd_name(self) -> str:
        return f"{self.plural}.{GROUP}"

    def schema(self) -> Schema:
        """Return the structural schema of the whole object."""
        result: Schema = {
            "description": self.summary,
            "type": "object",
            "required": ["spec"],
            "properties": {
                "apiVersion": {"type": "string", "description": f"`{API_VERSION}`."},
                "kind": {"type": "string", "description": f"`{self.kind}`."},
                "metadata": {"type": "object"},
                "spec": structural(self.spec),
            },
        }
        if self.status is not None:
            status = structural(self.status, defaults=False)
            result["properties"]["status"] = {**status, "default": NO_STATUS_YET, **ONE_WRITER}
        if self.rules:
            result[VALIDATIONS] = [rule.schema() for rule in self.rules]
        return result

    def crd(self) -> dict[str, Any]:
        """Return the CustomResourceDefinition."""
        selectable = [{"jsonPath": each} for each in self.selectable]
        return {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": self.crd_name},
            "spec": {
                "group": GROUP,
                "names": {
                    "kind": self.kind,
                    "listKind": f"{self.kind}List",
                    "plural": self.plural,
                    "singular": self.singular,
                    "shortNames": [each for each in (self.short_name, self.other_short_name) if each],
                    "categories": [CATEGORY],
                },
                "scope": "Namespaced" if self.namespaced else "Cluster",
                "versions": [
                    {
                        "name": VERSION,
                        "served": True,
                        "storage": True,
                        **({"subresources": {"status": {}}} if self.status is not None else {}),
                        "additionalPrinterColumns": [column.document() for column in self.columns],
                        **({"selectableFields": selectable} if selectable else {}),
                        "schema": {"openAPIV3Schema": self.schema()},
                    }
                ],
            },
        }


AGE = Column("Age", ".metadata.creationTimestamp", "date")
READY = Column("Ready", '.status.conditions[?(@.type=="Ready")].status')
REASON = Column("Reason", '.status.conditions[?(@.type=="Ready")].reason', wide=True)

FAILOVER_RECORD = Resource(
    kind="FailoverRecord",
    plural="failoverrecords",
    short_name="fr",
    namespaced=True,
    summary="A DNS name that Detour keeps pointing at places that work.",
    spec=FailoverRecordSpec,
    status=FailoverRecordStatus,
    selectable=(".spec.hostname", ".status.state"),
    columns=(
        Column("Hostname", ".spec.hostname"),
        Column("State", ".status.state", description="The record in one word."),
        Column("Serving", ".status.summary.serving", description="Endpoints that serve now."),
        Column("Healthy", ".status.summary.healthy", description="Healthy endpoints out of all."),
        READY,
        Column("Message", ".status.message", wide=True, description="Why, and what to do."),
        Column("Pinned", ".status.summary.pinned", wide=True, description="Revision that a person pinned."),
        Column("Zones", ".status.summary.zones", wide=True, description="Zones that hold the decided set."),
        REASON,
        AGE,
    ),
)
DNS_ZONE = Resource(
    kind="DNSZone",
    plural="dnszones",
    short_name="dz",
    namespaced=True,
    summary="A DNS zone at one provider account.",
    spec=DNSZoneSpec,
    status=DNSZoneStatus,
    selectable=(".spec.domain", ".status.state"),
    columns=(
        Column("Domain", ".spec.domain"),
        Column("State", ".status.state", description="The zone in one word."),
        Column("Provider", ".status.provider"),
        READY,
        Column("Site", ".status.ledger.site", description="The site in force."),
        Column("Held", ".status.held.count", "integer", description="Changes that the safety gate holds."),
        Column("Records", ".status.ownedRecords", "integer", description="Names that this installation owns."),
        Column("Replica", ".status.replica", wide=True, description="The replica that writes the zone."),
        Column("Generation", ".status.ledger.generation", wide=True, description="Generation of the ledger."),
        Column("Pending", ".status.pendingChanges", "integer", wide=True, description="Record sets still to write."),
        REASON,
        AGE,
    ),
)
CLOUD_REGION = Resource(
    kind="CloudRegion",
    plural="cloudregions",
    short_name="region",
    other_short_name="regions",
    namespaced=False,
    summary="A failure domain of a cloud, which can be taken out of service as a whole.",
    spec=CloudRegionSpec,
    status=CloudRegionStatus,
    selectable=(".status.phase",),
    columns=(
        Column("Cloud", ".spec.cloud"),
        Column("Location", ".spec.location"),
        Column("State", ".status.phase", description="Healthy, Suspect, Failing, Recovering, Drained or Unknown."),
        Column("Since", ".status.since", "date", description="For how long it has been so."),
        Column("Reason", ".status.reason"),
        Column("Healthy", ".status.endpoints.healthy", "integer", description="Healthy endpoints."),
        Column("Endpoints", ".status.endpoints.total", "integer", description="Endpoints of all records."),
        Column("Records", ".status.records", "integer", description="Records that answer from the region."),
        Column("Until", ".spec.until", description="When a drain ends by itself."),
        Column("Message", ".status.message", wide=True),
        AGE,
    ),
    rules=(
        Rule(
            f"self.metadata.name.matches('^{LABEL}$')",
            "metadata.name must be 1 to 63 lower-case letters, digits and hyphens, such as aws-us-east-1, so that an"
            " endpoint's region can name it",
            None,
        ),
    ),
)
VANTAGE = Resource(
    kind="Vantage",
    plural="vantages",
    short_name="vantage",
    namespaced=False,
    summary="A place that runs checks, and has a say in what is believed of endpoints.",
    spec=VantageSpec,
    status=VantageStatus,
    columns=(
        Column("Cloud", ".spec.cloud"),
        Column("Region", ".spec.region"),
        Column("Votes", ".spec.votes", "integer"),
        Column("State", ".status.state", description="Trusted, Suspected, Stale, Unknown or Off."),
        Column("Since", ".status.since", "date", description="For how long it has been so."),
        Column("Checks", ".status.report.checks", "integer", description="Checks that it runs."),
        Column("Failing", ".status.report.failing", "integer", description="Checks that fail there."),
        Column("Reason", ".status.reason", wide=True),
        Column("Message", ".status.message", wide=True),
        Column("Version", ".status.report.version", wide=True, description="Version of the probe."),
        AGE,
    ),
    rules=(
        Rule(
            f"self.metadata.name.matches('^{LABEL}$')",
            "metadata.name must be 1 to 63 lower-case letters, digits and hyphens, such as gcp-europe-west3",
            None,
        ),
    ),
)
EXTERNAL_VERDICT = Resource(
    kind="ExternalVerdict",
    plural="externalverdicts",
    short_name="verdict",
    other_short_name="verdicts",
    namespaced=True,
    summary="What a program of yours says of an endpoint, for FailoverRecords of the same namespace.",
    spec=ExternalVerdictSpec,
    status=None,
    columns=(
        Column("Verdict", ".spec.verdict"),
        Column("Expires", ".spec.expiresAt", description="Until when it counts."),
        Column("Message", ".spec.message"),
        AGE,
    ),
)
OVERRIDE_COLUMNS = (
    Column("Expires", ".spec.expiresAt", description="When it ends by itself."),
    Column("State", ".status.state", description="InForce, Waiting, Expired or Refused."),
    Column("By", ".spec.requestedBy", description="Who asked for it."),
    Column("Reason", ".spec.reason"),
    Column("Verified", ".status.requestedByVerified", "boolean", wide=True, description="Whether that is proved."),
    Column("Message", ".status.message", wide=True),
    AGE,
)
OVERRIDE = Resource(
    kind="Override",
    plural="overrides",
    short_name="override",
    namespaced=True,
    summary="What a person sets above the verdicts for a FailoverRecord of the same namespace, for a while.",
    spec=OverrideSpec,
    status=OverrideStatus,
    selectable=(".spec.record", ".status.state"),
    columns=(
        Column("Action", ".spec.action"),
        Column("Record", ".spec.record"),
        Column("Endpoint", ".spec.endpoint"),
        *OVERRIDE_COLUMNS,
    ),
)
CLUSTER_OVERRIDE = Resource(
    kind="ClusterOverride",
    plural="clusteroverrides",
    short_name="clusteroverride",
    namespaced=False,
    summary="What a person sets above the verdicts for a region, or for a zone, for a while.",
    spec=ClusterOverrideSpec,
    status=OverrideStatus,
    selectable=(".status.state",),
    columns=(
        Column("Action", ".spec.action"),
        Column("Region", ".spec.region"),
        Column("Zone", ".spec.zone.name"),
        *OVERRIDE_COLUMNS,
    ),
)
RESOURCES = (FAILOVER_RECORD, DNS_ZONE, CLOUD_REGION, VANTAGE, EXTERNAL_VERDICT, OVERRIDE, CLUSTER_OVERRIDE)
