"""How to get at the lab's APIs with one's own tools: a folder with credentials, and commands to begin with.

The folder holds a file of variables that a shell reads, under the names that the clouds' own tools look for, and the
two keys that have to be files. They open this lab and nothing else, their owner alone can read them, and they go with
the lab.
"""

import json
import shlex
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from detour_lab.clouds.clouds import (
    AZURE,
    BIND,
    DOMAIN,
    GOOGLE,
    MANAGED_ZONE,
    PROJECT,
    RESOURCE_GROUP,
    ROUTE53,
    SUBSCRIPTION,
    Clouds,
)

VARIABLES, SERVICE_ACCOUNT, UPDATE_KEY = "environment", "service-account.json", "update.key"
AZURE_API_VERSION = "2018-05-01"


@contextmanager
def credentials_folder(clouds: Clouds) -> Iterator[Path]:
    """Write the credentials of `clouds`, which must have started, into a new folder, and remove it afterwards."""
    with tempfile.TemporaryDirectory(prefix="detour-lab-") as name:  # made for its owner alone
        folder = Path(name)
        for file, text in _files(clouds, folder).items():
            path = folder / file
            path.touch(mode=0o600)
            path.write_text(text)
        yield folder


def describe(folder: Path) -> str:
    """Return what to type, for people; `folder` is what `credentials_folder` gave."""
    lines = [
        "To explore the APIs, give a shell their credentials, which end with the lab:",
        "",
        f"  {source(folder)}",
        "",
    ]
    for zone, commands in COMMANDS.items():
        lines += [f"  # {zone}", *(f"  {command}" for command in commands)]
    return "\n".join(lines)


def source(folder: Path) -> str:
    """Return the command that a shell reads the variables with."""
    return f". {shlex.quote(str(folder / VARIABLES))}"


COMMANDS: Mapping[str, tuple[str, ...]] = {
    ROUTE53: (
        "aws route53 list-hosted-zones-by-name",
        "aws route53 list-resource-record-sets --hosted-zone-id $ROUTE53_ZONE",
    ),
    AZURE: ('curl -fsS -H "Authorization: Bearer $AZURE_TOKEN" "$AZURE_ZONE/all?$AZURE_VERSION"',),
    GOOGLE: ('curl -fsS -H "Authorization: Bearer $GOOGLE_TOKEN" "$GOOGLE_ZONE/rrsets"',),
    BIND: (
        "dig -k $UPDATE_KEY @$BIND_HOST -p $BIND_PORT $ZONE AXFR",
        'printf "server $BIND_HOST $BIND_PORT\\nupdate add x.$ZONE 60 A 192.0.2.1\\nsend\\n" | nsupdate -k $UPDATE_KEY',
    ),
}
"""What to begin with, by the zone whose API it is about."""


def _files(clouds: Clouds, folder: Path) -> Mapping[str, str]:
    secrets = clouds.credentials()
    key = secrets["bind-tsig"]
    update_key = f'key "{key["keyName"]}" {{ algorithm {key["algorithm"]}; secret "{key["secret"]}"; }};\n'
    return {
        VARIABLES: "".join(
            f"export {name}={shlex.quote(value)}\n" for name, value in _variables(clouds, folder).items()
        ),
        SERVICE_ACCOUNT: json.dumps(json.loads(secrets["google-credentials"]["service-account.json"]), indent=2),
        UPDATE_KEY: update_key,
    }


def _variables(clouds: Clouds, folder: Path) -> Mapping[str, str]:
    """Return the variables. Names of others: AWS SDKs and Tools reference; gcloud properties; google-auth."""
    secrets = clouds.credentials()
    host, _, port = clouds.zones[BIND].address.partition(":")
    group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{RESOURCE_GROUP}"
    aws = secrets["route53-credentials"]
    return {
        "ZONE": DOMAIN,
        "AWS_ACCESS_KEY_ID": aws["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": aws["aws_secret_access_key"],
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_ROUTE_53": clouds.apis[ROUTE53],
        "ROUTE53_ZONE": clouds.hosted_zone_id,
        "AZURE_TOKEN": secrets["azure-credentials"]["accessToken"],
        "AZURE_VERSION": f"api-version={AZURE_API_VERSION}",
        "AZURE_ZONE": f"{clouds.apis[AZURE]}{group}/providers/Microsoft.Network/dnsZones/{DOMAIN}",
        "GOOGLE_TOKEN": clouds.google_token,
        "GOOGLE_APPLICATION_CREDENTIALS": str(folder / SERVICE_ACCOUNT),
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_DNS": f"{clouds.apis[GOOGLE]}/",
        "CLOUDSDK_CORE_PROJECT": PROJECT,
        "GOOGLE_ZONE": f"{clouds.apis[GOOGLE]}/dns/v1/projects/{PROJECT}/managedZones/{MANAGED_ZONE}",
        "BIND_HOST": host,
        "BIND_PORT": port,
        "UPDATE_KEY": str(folder / UPDATE_KEY),
    }
