"""`python -m detour_lab up` by itself: what it prints opens every API, with the tools that people have."""

import asyncio
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
import pytest_asyncio
from google.auth.transport.requests import AuthorizedSession
from google.oauth2 import service_account

from detour_lab.clouds import access
from detour_lab.clouds.clouds import BIND, DOMAIN, ROUTE53
from detour_lab.stage.lab import Lab

UP = "from detour_lab.main import main; main()"
COMMANDS = [(zone, command) for zone, commands in access.COMMANDS.items() for command in commands]


@pytest_asyncio.fixture
async def lab() -> AsyncIterator[Lab]:
    async with Lab(first_block=74, real_bind=False) as started:
        yield started


async def in_a_shell(folder: Path, command: str) -> tuple[int, str]:
    """Run `command` after what people are told to type; returns its exit status and all that it said."""
    line = f"{access.source(folder)} && {command}"
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    run = await asyncio.create_subprocess_exec(
        "sh", "-c", line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    said, _ = await run.communicate()
    assert run.returncode is not None
    return run.returncode, said.decode()


async def variables(folder: Path) -> Mapping[str, str]:
    _, said = await in_a_shell(folder, f"{sys.executable} -c 'import json, os; print(json.dumps(dict(os.environ)))'")
    found: Mapping[str, str] = json.loads(said)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("zone", "command"), COMMANDS)
async def test_each_command_that_is_printed_works(lab: Lab, zone: str, command: str) -> None:
    program = "nsupdate" if "nsupdate" in command else command.split(maxsplit=1)[0]
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    await lab.edit(zone, f"legacy.{DOMAIN}", "A", ["192.0.2.7"])
    with access.credentials_folder(lab.clouds) as folder:
        assert command in access.describe(folder)
        status, said = await in_a_shell(folder, command)
    if program == "aws" and "command not found" in said:  # a shim without a program behind it
        pytest.skip("aws is not installed")
    assert status == 0, said
    if program == "nsupdate":
        assert await lab.zone(BIND).read(f"x.{DOMAIN}", "A") is not None
    else:
        assert (f"legacy.{DOMAIN}" if "zones" not in command else DOMAIN) in said


async def test_an_aws_sdk_needs_nothing_but_the_variables(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    with access.credentials_folder(lab.clouds) as folder:
        given = await variables(folder)
        for name, value in given.items():
            if name.startswith("AWS_"):
                monkeypatch.setenv(name, value)
        client: Any = await asyncio.to_thread(boto3.client, "route53")
        listed = await asyncio.to_thread(client.list_resource_record_sets, HostedZoneId=given["ROUTE53_ZONE"])
    assert {each["Type"] for each in listed["ResourceRecordSets"]} == {"NS", "SOA"}


async def test_the_service_account_file_gets_a_token_for_itself(lab: Lab) -> None:
    def listed(path: str, url: str) -> int:
        account: Any = service_account.Credentials
        credentials = account.from_service_account_file(path, scopes=["https://www.googleapis.com/auth/ndev.clouddns"])
        sdk: Any = AuthorizedSession
        return int(sdk(credentials).get(f"{url}/rrsets").status_code)

    with access.credentials_folder(lab.clouds) as folder:
        given = await variables(folder)
        path, url = given["GOOGLE_APPLICATION_CREDENTIALS"], given["GOOGLE_ZONE"]
        assert await asyncio.to_thread(listed, path, url) == 200


async def test_the_credentials_are_their_owner_s_alone_and_end_with_the_lab(lab: Lab) -> None:
    with access.credentials_folder(lab.clouds) as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {stat.S_IMODE(each.stat().st_mode) for each in folder.iterdir()} == {0o600}
    assert not folder.exists()


def written(parent: Path) -> tuple[Path, str]:
    """Return the folder that the lab made in `parent`, and the secret key that is in it."""
    [folder] = parent.glob("detour-lab-*")
    secrets = (folder / access.VARIABLES).read_text()
    return folder, next(line.partition("=")[2] for line in secrets.splitlines() if "AWS_SECRET_ACCESS_KEY" in line)


async def test_up_without_kubernetes_says_how_to_get_in(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", UP, "up", env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    lines: list[str] = []
    async with asyncio.timeout(60):
        while not lines or "quit" not in lines[-1]:
            lines.append((await process.stdout.readline()).decode())
            assert lines[-1], lines
    text = "".join(lines)
    folder, key = written(tmp_path)
    assert access.source(folder) in text
    assert all(command in text for command in access.COMMANDS[ROUTE53])
    assert key
    assert key not in text  # what a terminal showed stays in its history
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(30):
        await process.communicate()
    assert not folder.exists()
