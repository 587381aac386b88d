"""`make demo`: the main job on real parts, from nothing to a line that says PASS or FAIL.

With --keep it plays in a process of its own, which stays when the story is told; `demo-stop` ends that.
"""

import asyncio
import os
import shlex
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from detour_lab.controlplane import Binaries, BuildError, CommandError, ControlPlaneError, find_binaries
from detour_lab.loopback import LoopbackError
from detour_lab.stage.operatorprocess import OperatorError
from detour_lab.stage.stage import Stage, StageError, repository
from detour_lab.stories.regionfailure import Outcome, RegionFailure

REGION = "aws-us-east-1"
FOLDER = repository() / "build"
ENVIRONMENT_FILE = FOLDER / "demo.env"
PROCESS_FILE = FOLDER / "demo.pid"
LOG_FILE = FOLDER / "demo.log"

STOP_TIMEOUT = 30.0
ERRORS = (StageError, LoopbackError, OperatorError, ControlPlaneError, CommandError, OSError)

INTRODUCTION = """Detour's demo: a region of a cloud fails, and DNS follows, on real parts.

It starts a real Kubernetes API server, emulated Route 53, Azure DNS and Google Cloud DNS, a real BIND, and services
that stand for three regions; it installs the chart, applies docs/examples/quickstart and breaks a region. Everything is
on loopback addresses and ends with the demo. It takes about 1 minute; the first time, kube-apiserver, etcd, kubectl and
Helm are built from source before, which takes 5 to 8 minutes on 2 cores.
"""


def run(arguments: list[str]) -> int:
    """Play the demo; `--keep` leaves it running in the background."""
    match arguments:
        case []:
            return _play_here(keep=False)
        case ["--keep"]:
            return _play_in_background()
        case ["--serve"]:
            return _play_here(keep=True)
        case _:
            print("usage: python -m detour_lab demo [--keep]", file=sys.stderr)
            return 2


def stop(arguments: list[str]) -> int:
    """End a demo that was kept."""
    number = _kept()
    if number is None:
        print("no demo is running")
        return 0
    with suppress(ProcessLookupError):
        os.kill(number, signal.SIGTERM)
    give_up = time.monotonic() + STOP_TIMEOUT
    while _kept() is not None:
        if time.monotonic() > give_up:
            print(f"the demo (process {number}) did not end within {STOP_TIMEOUT:g} s", file=sys.stderr)
            return 1
        time.sleep(0.1)
    print("the demo has ended, and everything that it started")
    return 0


def _kept() -> int | None:
    """Return the process of a demo that was kept, or None."""
    try:
        number = int(PROCESS_FILE.read_text())
        command = Path(f"/proc/{number}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return number if b"--serve" in command else None


def _play_in_background() -> int:
    if (number := _kept()) is not None:
        print(f"a demo runs already (process {number}): `make demo-stop` ends it", file=sys.stderr)
        return 1
    FOLDER.mkdir(exist_ok=True)
    with LOG_FILE.open("w") as log:
        command = [sys.executable, "-m", "detour_lab", "demo", "--serve"]
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
    PROCESS_FILE.write_text(str(process.pid))
    return 0 if _follow(process).startswith("PASS") else 1


def _follow(process: "subprocess.Popen[bytes]") -> str:
    """Print what the demo says until its verdict, and return that; empty where the demo ends without one."""
    with LOG_FILE.open() as log:
        while True:
            ended = process.poll() is not None
            while line := log.readline():
                print(line, end="", flush=True)
                if line.startswith(("PASS", "FAIL")):
                    return line
            if ended:
                return ""
            time.sleep(0.05)


def _play_here(*, keep: bool) -> int:
    print(INTRODUCTION, flush=True)
    try:
        binaries = find_binaries()
    except BuildError as error:
        print(f"FAIL no control plane: {error}", flush=True)
        return 1
    try:
        outcome, seconds = asyncio.run(_play(binaries, keep=keep))
    except ERRORS as error:
        print(f"\n{error}", flush=True)
        print("FAIL the demo could not be played", flush=True)
        return 1
    except KeyboardInterrupt:
        print("FAIL interrupted", flush=True)
        return 130
    if not keep:
        print(f"\nEverything that was started has been stopped; {seconds:.0f} s in all.", flush=True)
        print(_verdict(outcome), flush=True)
    return 0 if outcome.passed else 1


async def _play(binaries: Binaries, *, keep: bool) -> tuple[Outcome, float]:
    began = time.monotonic()

    def say(text: str) -> None:
        print(text, flush=True)

    def step(text: str) -> None:
        print(f"[{time.monotonic() - began:5.1f} s] {text}", flush=True)

    ended = asyncio.Event()
    if keep:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, ended.set)
    try:
        async with Stage(say=step, binaries=binaries) as stage:
            _write_environment(stage)
            step(f"waiting until every record is Ready (to watch with tools of your own: {_short(ENVIRONMENT_FILE)})")
            await stage.wait_until_ready()
            outcome = await RegionFailure(stage, REGION, say).play()
            say(f"{outcome.asked} questions were asked; {outcome.unanswered} got no answer")
            for complaint in outcome.complaints[:20]:
                say(f"  {complaint}")
            if keep:
                say(_how_to_look_around(stage))
                say(_verdict(outcome))
                await ended.wait()
    finally:
        ENVIRONMENT_FILE.unlink(missing_ok=True)
        if keep:
            PROCESS_FILE.unlink(missing_ok=True)
    return outcome, time.monotonic() - began


def _verdict(outcome: Outcome) -> str:
    return f"{'PASS' if outcome.passed else 'FAIL'} {outcome.figures()}"


def _write_environment(stage: Stage) -> None:
    """Write what others need in order to watch, as shell assignments."""
    FOLDER.mkdir(exist_ok=True)
    assignments = {
        "KUBECONFIG": str(stage.plane.kubeconfig),
        "KUBECTL": str(stage.plane.folder / "bin" / "kubectl"),
        "NAMESERVERS": stage.lab.name_server_list,
    }
    text = "".join(f"{name}={shlex.quote(value)}\n" for name, value in assignments.items())
    partial = ENVIRONMENT_FILE.with_suffix(".part")
    partial.write_text(text)
    partial.replace(ENVIRONMENT_FILE)


def _how_to_look_around(stage: Stage) -> str:
    host, _, port = next(iter(stage.lab.name_servers.values())).partition(":")
    return f"""
It goes on running. To look around:
  source {_short(ENVIRONMENT_FILE)}; export KUBECONFIG
  $KUBECTL get fr,dz,region -A
  $KUBECTL describe fr api -n shop
  dig @{host} -p {port} api.shop.example.com        # $NAMESERVERS has all of them
  curl {stage.operator.url}/metrics
To end it: make demo-stop"""


def _short(path: Path) -> str:
    return str(path.relative_to(repository()))
