"""The settings of the four DNS providers, as a DNSZone declares them."""

from typing import Annotated

from pydantic import Field, StringConstraints

from detour.kube.resources.rules import Declared, Rules, shaped
from detour.kube.resources.values import object_name_rule, server_rule

EndpointURL = Annotated[
    str,
    StringConstraints(max_length=512),
    Rules(
        shaped(
            r"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?",
            "endpointURL must be an http or https URL without user, query or fragment, such as"
            " https://dns.example.com:8443",
        )
    ),
]
ServerWithName = Annotated[str, StringConstraints(max_length=260), Rules(server_rule("rfc2136.server", names=True))]


HostedZoneID = Annotated[
    str,
    StringConstraints(max_length=32),
    Rules(
        shaped(
            "[A-Z0-9]+",
            "route53.zoneID must be the ID alone, such as Z0123456789ABCDEFGHIJ, without /hostedzone/",
        )
    ),
]


RoleARN = Annotated[
    str,
    StringConstraints(max_length=640),
    Rules(
        shaped(
            "arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+",
            "route53.roleARN must be the ARN of an IAM role, such as arn:aws:iam::111122223333:role/detour-dns",
        )
    ),
]


class Route53Spec(Declared):
    """Amazon Route 53."""

    zone_id: HostedZoneID | None = Field(
        default=None,
        description="Hosted zone ID. Without it the public zone of that domain, which must be the only one.",
    )
    region: Annotated[
        str,
        StringConstraints(max_length=32),
        Rules(shaped("[a-z]{2,5}(-[a-z]+)+-[0-9]{1,2}", "route53.region must be an AWS region, such as us-east-1")),
    ] = Field(default="us-east-1", description="AWS region that requests are signed for; it selects the partition.")
    role_arn: RoleARN | None = Field(
        default=None, description="IAM role to assume with the credentials, for a zone in another account."
    )
    endpoint_url: EndpointURL | None = Field(
        default=None,
        description="URL of the API, for gateways and laboratories. Without it the partition's own. One that is not"
        " Route 53's own takes a Secret and https, unless the operator's settings permit it.",
    )


class AzureDNSSpec(Declared):
    """Azure DNS."""

    subscription_id: Annotated[
        str,
        StringConstraints(max_length=36),
        Rules(
            shaped(
                "[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}",
                "azureDNS.subscriptionID must be a GUID, such as 00000000-0000-0000-0000-000000000000",
            )
        ),
    ] = Field(description="Subscription that holds the zone, a GUID.")
    resource_group: Annotated[
        str,
        StringConstraints(max_length=90),
        Rules(
            shaped(
                "[A-Za-z0-9_().-]*[A-Za-z0-9_()-]",
                "azureDNS.resourceGroup must be 1 to 90 letters, digits, hyphens, underscores, parentheses and dots,"
                " without a dot at the end",
            )
        ),
    ] = Field(description="Resource group that holds the zone.")
    endpoint_url: EndpointURL | None = Field(
        default=None,
        description="URL of Azure Resource Manager, for other Azure clouds, gateways and laboratories. Without it the"
        " public cloud's. One that is not Azure's own takes a Secret and https, unless the operator's settings permit"
        " it.",
    )


ManagedZoneName = Annotated[
    str,
    StringConstraints(max_length=63),
    Rules(
        shaped(
            "[a-z]([a-z0-9-]*[a-z0-9])?",
            "googleCloudDNS.managedZone must be the zone's resource name: lower-case letters, digits and"
            " hyphens, such as example-com",
        )
    ),
]


class GoogleCloudDNSSpec(Declared):
    """Google Cloud DNS."""

    project: Annotated[
        str,
        StringConstraints(max_length=100),
        Rules(
            shaped(
                "([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]",
                "googleCloudDNS.project must be a project ID: 6 to 30 lower-case letters, digits and hyphens, such as"
                " example-dns",
            )
        ),
    ] = Field(description="ID of the project that holds the zone.")
    managed_zone: ManagedZoneName | None = Field(
        default=None,
        description="Resource name of the managed zone. Without it the public zone of that domain, which must be the"
        " only one.",
    )
    endpoint_url: EndpointURL | None = Field(
        default=None,
        description="URL of the API, for gateways and laboratories. Without it Google's own. Any other takes a Secret"
        " and https, unless the operator's settings permit it.",
    )


class RFC2136Spec(Declared):
    """A server that takes dynamic updates (RFC 2136), signed with TSIG (RFC 8945), over TCP."""

    server: ServerWithName = Field(
        description="Primary server of the zone, as `address:port` or `host:port`; IPv6 in brackets."
    )


class SecretReference(Declared):
    """A Secret in the zone's own namespace."""

    name: Annotated[
        str, StringConstraints(max_length=253), Rules(object_name_rule("credentialsSecretRef.name", "a Secret"))
    ] = Field(description="Name of the Secret.")
