"""`detour check` as a person runs it: of a file that was never applied, and of a record by its name."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import yaml

from detour_lab.services.regions import HTTP_PORT
from detour_lab.services.services import Mode
from detour_lab.stage.stage import NAMESPACE, Stage

PROGRAM = str(Path(sys.executable).with_name("detour"))
RECORD = {
    "apiVersion": "detour.dev/v1alpha1",
    "kind": "FailoverRecord",
    "metadata": {"name": "never-applied"},
    "spec": {
        "hostname": "never.example.com",
        "zones": [{"name": "main"}],
        "endpoints": [],
        "healthCheck": {"http": {"port": HTTP_PORT, "path": "/healthz"}, "timeout": "1s"},
    },
}


def check(stage: Stage, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    flags = [f"--resolver={stage.lab.resolver.address}", "--allow-networks=127.0.0.0/8"]
    return subprocess.run(
        [PROGRAM, "check", *arguments, *flags], input=text, capture_output=True, text=True, timeout=120, check=False
    )


async def test_it_checks_what_is_applied_and_what_is_not_and_publishes_nothing() -> None:
    async with Stage() as stage:
        await stage.wait_until_ready()
        ledger = ("get", "dz", "shop-route53", "-n", NAMESPACE, "-o", "jsonpath={.status.ledger.generation}")
        before = await stage.kubectl(*ledger)
        kubeconfig = f"--kubeconfig={stage.plane.kubeconfig}"

        done = await asyncio.to_thread(check, stage, f"{NAMESPACE}/api", kubeconfig)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(
            "shop/api (api.shop.example.com): http port 18080, GET /healthz of api.shop.example"
        )
        assert "3 of 3 endpoints pass" in done.stdout

        place = stage.lab.region("aws-us-east-1").service("images")
        raw = json.loads(json.dumps(RECORD))
        raw["spec"]["endpoints"] = [
            {"name": "one", "region": "aws-us-east-1", "addresses": [place.address]},
            {"name": "two", "region": "azure-westeurope", "hostname": "images.westeurope.cloudapp.azure.test"},
        ]
        done = await asyncio.to_thread(check, stage, "-", text=yaml.safe_dump(raw))
        assert (done.returncode, done.stderr) == (0, "")
        assert "2 of 2 endpoints pass" in done.stdout

        await place.switch(Mode.REFUSING)
        done = await asyncio.to_thread(check, stage, "-", text=yaml.safe_dump(raw))
        assert done.returncode == 1
        assert "1 of 2 endpoints pass" in done.stdout
        assert "ConnectionRefused" in done.stdout
        await place.switch(Mode.UP)

        for arguments, told in (
            ((f"{NAMESPACE}/nobody", kubeconfig), "404"),
            (("nobody.yaml",), "there is no file nobody.yaml"),
            (("api", "--deny-networks=nonsense"), "nonsense"),
        ):
            done = await asyncio.to_thread(check, stage, *arguments)
            assert (done.returncode, done.stdout) == (2, "")
            assert told in done.stderr
        assert await stage.kubectl(*ledger) == before
