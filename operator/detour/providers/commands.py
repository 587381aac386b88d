"""What a person types to delete a set where Detour must not decide by itself: shown in conditions.

Sources: the references of `aws route53 change-resource-record-sets`, `az network dns record-set` and `gcloud dns
record-sets delete`, and nsupdate(1).
"""

import json
import shlex

from detour.model.rrset import RRset
from detour.model.zone import AzureDNSSettings, GoogleCloudDNSSettings, RFC2136Settings, Route53Settings, Zone


def delete_command(zone: Zone, rrset: RRset) -> str:
    """Return the command that deletes `rrset`, by type or, where the provider wants it, exactly as it is."""
    match zone.settings:
        case Route53Settings(zone_id=zone_id):
            found = f"aws route53 list-hosted-zones-by-name --dns-name {zone.domain}"
            found += " --query HostedZones[0].Id --output text"
            deletion = {"Changes": [{"Action": "DELETE", "ResourceRecordSet": _as_route53(rrset)}]}
            return (
                f"aws route53 change-resource-record-sets --hosted-zone-id {zone_id or f'$({found})'} --change-batch "
                f"{shlex.quote(json.dumps(deletion, separators=(',', ':')))}"
            )
        case AzureDNSSettings(resource_group=group):
            label = rrset.name.removesuffix(zone.domain).rstrip(".") or "@"
            return (
                f"az network dns record-set {rrset.type.value.lower()} delete --resource-group {group} "
                f"--zone-name {zone.domain} --name {label} --yes"
            )
        case GoogleCloudDNSSettings(project=project, managed_zone=managed_zone):
            found = f"gcloud dns managed-zones list --project={project} --filter=dnsName={zone.domain}."
            found += " --format='value(name)'"
            return (
                f"gcloud dns record-sets delete {rrset.name}. --type={rrset.type.value} --project={project} "
                f"--zone={managed_zone or f'$({found})'}"
            )
        case RFC2136Settings(server=server):
            host, _, port = server.rpartition(":")
            update = f"server {host.strip('[]')} {port}\nupdate delete {rrset.name}. {rrset.type.value}\nsend\n"
            return f"printf {shlex.quote(update.replace(chr(10), chr(92) + 'n'))} | nsupdate -k KEYFILE"


def _as_route53(rrset: RRset) -> dict[str, object]:
    return {
        "Name": rrset.name,
        "Type": rrset.type.value,
        "TTL": rrset.ttl,
        "ResourceRecords": [{"Value": value} for value in rrset.values],
    }
