"""What one tenant's zone, Secret or object contains ends nothing but that: the process lives, and others fail over."""

import base64
from typing import Any

import pytest

from detour_lab.dns.realservers import SignedInlineBIND, UpdateKey
from detour_lab.services.services import Mode

from .operating import TSIG_SECRET, Manifest, Stage
from .stories import solo

pytestmark = pytest.mark.asyncio(loop_scope="session")

KEY = {"keyName": "detour-lab.", "algorithm": "hmac-sha256"}
ODD_SECRETS = {
    "bom": base64.b64encode(f"\ufeff{TSIG_SECRET}".encode()).decode(),
    "latin": base64.b64encode("schlüssel".encode("latin-1")).decode(),
    "zip": base64.b64encode(b"PK\x03\x04\xff\xfe\x00").decode(),
}


def odd_secret(stage: Stage, name: str, value: str) -> Manifest:
    """Return a Secret of a TSIG key whose value is these bytes, in base64."""
    plain = {key: base64.b64encode(text.encode()).decode() for key, text in KEY.items()}
    return {
        "kind": "Secret",
        "metadata": {"name": name, "namespace": stage.namespace},
        "data": {**plain, "secret": value},
    }


def beside(stage: Stage, name: str, **spec: Any) -> Manifest:
    """Return one more DNSZone, of a domain of its own that the lab's name server serves too."""
    domain = f"{name}-{stage.domain}"
    stage.serve(domain)
    return stage.zone(name, domain=domain, **spec)


@solo
async def test_zones_and_secrets_of_every_kind_stand_beside_a_zone_that_fails_over(stage: Stage) -> None:
    virginia, netherlands = await stage.places("virginia", "netherlands")
    port = stage.lab.server.address.rpartition(":")[2]
    signed = SignedInlineBIND(f"signed-{stage.domain}", UpdateKey.random())
    await stage.apply(*stage.basics(), stage.record([virginia, netherlands]))
    usual = ("--allow-networks=127.0.0.0/8,::1/128", f"--resolver={stage.lab.server.address}")
    async with signed, stage.operator(*usual) as operator:
        await stage.ready()
        await stage.apply(
            stage.secret("signed", **signed.key.as_secret()),
            *(odd_secret(stage, name, value) for name, value in ODD_SECRETS.items()),
            *(beside(stage, name, credentialsSecretRef={"name": name}) for name in ODD_SECRETS),
            beside(stage, "named", rfc2136={"server": f"localhost:{port}"}),
            beside(stage, "nowhere", rfc2136={"server": "127.0.0.1:9"}),
            stage.zone(
                "signed",
                domain=signed.domain,
                rfc2136={"server": signed.address},
                credentialsSecretRef={"name": "signed"},
            ),
            stage.record([virginia, netherlands], "web", hostname=f"web.{signed.domain}", zones=[{"name": "signed"}]),
        )
        await stage.condition("latin", "Ready", "False", kind="dz")
        await stage.condition("zip", "Ready", "False", kind="dz")
        await stage.condition("nowhere", "Ready", "False", kind="dz")
        await stage.ready("bom", kind="dz")
        await stage.ready("signed", kind="dz")
        await stage.ready("web")
        await virginia.service.switch(Mode.REFUSING)
        await stage.serves(netherlands.address)
        assert operator.runs
        log = operator.log.read_text()
        assert "schl" not in log, "what a Secret holds is in no log"
        assert TSIG_SECRET not in log
