"""`python -m detour_lab up`: the lab for exploring, until Ctrl-C, with commands on its terminal and over HTTP."""

import argparse
import asyncio
import os
import shlex
import signal
import sys
import threading
from contextlib import AsyncExitStack
from pathlib import Path

from detour_lab.clouds import access
from detour_lab.controlplane import Binaries, BuildError, CommandError, ControlPlane, ControlPlaneError, find_binaries
from detour_lab.stage.lab import Lab
from detour_lab.stage.labcontrol import HELP, LabControl, obey
from detour_lab.stage.operatorprocess import OperatorProcess

CRDS = Path(__file__).resolve().parents[3] / "crds"
OWNER = "lab"
STOPPING = (signal.SIGINT, signal.SIGTERM)


def run(arguments: list[str]) -> int:
    """Start what `arguments` ask for and stay until Ctrl-C, SIGTERM or `quit`; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m detour_lab up", description="Clouds in a box, until Ctrl-C.")
    parser.add_argument("--kubernetes", action="store_true", help="also a control plane with the quickstart applied")
    parser.add_argument("--operator", action="store_true", help="also the operator; implies --kubernetes")
    chosen = parser.parse_args(arguments)
    try:
        # Outside the event loop, so that Ctrl-C ends a build at once.
        binaries = find_binaries() if chosen.kubernetes or chosen.operator else None
        asyncio.run(_stay(binaries, operator=chosen.operator))
    except (OSError, RuntimeError, BuildError, CommandError, ControlPlaneError) as error:
        print(f"detour_lab: {error}", file=sys.stderr)
        return 1
    return 0


async def _stay(binaries: Binaries | None, *, operator: bool) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in STOPPING:
        loop.add_signal_handler(number, ended.set)
    # What is entered last is left first: the operator goes before the API server that it watches.
    async with AsyncExitStack() as stack:
        lab = await stack.enter_async_context(Lab())
        control = await stack.enter_async_context(LabControl(lab))
        folder = stack.enter_context(access.credentials_folder(lab.clouds))
        print(f"{describe(lab, control.url)}\n\n{access.describe(folder)}", flush=True)
        if binaries is not None:
            plane = await _start_control_plane(stack, lab, binaries)
            if operator and not ended.is_set():
                process = OperatorProcess([*_operator_options(lab, plane)])
                await stack.enter_async_context(process)
                print(f"\nThe operator runs (process {process.pid}); its metrics: curl {process.url}/metrics")
        print(f"\nCommands, here or with curl --data 'COMMAND' {control.url} :\n\n{HELP}\nquit\n", flush=True)
        _read_commands(lab, ended)
        await ended.wait()
        print("stopping")


async def _start_control_plane(stack: AsyncExitStack, lab: Lab, binaries: Binaries) -> ControlPlane:
    print("\nStarting a Kubernetes control plane (5 s)", flush=True)
    plane = ControlPlane(binaries)
    await asyncio.to_thread(plane.start)
    stack.push_async_callback(asyncio.to_thread, plane.stop)
    quickstart = plane.folder / "quickstart"
    lab.write_manifests(quickstart)
    await asyncio.to_thread(plane.kubectl, "apply", "-f", str(CRDS))
    await asyncio.to_thread(plane.kubectl, "wait", "--for=condition=Established", "--timeout=30s", "-f", str(CRDS))
    await asyncio.to_thread(plane.kubectl, "apply", "-f", str(quickstart))
    print(
        f"The quickstart is applied, from {quickstart}. To look around:\n"
        f"  export KUBECONFIG={plane.kubeconfig} PATH={plane.folder / 'bin'}{os.pathsep}$PATH\n"
        "  kubectl get fr -n shop --watch\n"
        "To run the operator yourself:\n"
        f"  {shlex.join(['detour', 'run', *_operator_options(lab, plane), '--listen=127.0.0.1:8080'])}",
        flush=True,
    )
    return plane


def _operator_options(lab: Lab, plane: ControlPlane) -> list[str]:
    return [f"--owner={OWNER}", f"--kubeconfig={plane.kubeconfig}", *lab.operator_arguments]


def describe(lab: Lab, control: str) -> str:
    """Return what there is and how to look at it, for people."""
    lines = [f"The lab is up on 127.{lab.block.number}.0.0/16.", *(f"Note: {note}" for note in lab.notes), ""]
    for name, zone in lab.zones.items():
        host, _, port = zone.address.partition(":")
        api = lab.clouds.apis.get(name, "dynamic updates at the name server")
        lines.append(f"  {name:13} {zone.provider:16} API {api}")
        lines.append(f"  {'':13} {'':16} dig @{host} -p {port} +short api.{zone.domain}")
    lines.append("")
    for name, region in lab.regions.items():
        lines.append(f"  {name:17} curl http://{region.service('api')}/")
    host, _, port = lab.resolver.address.partition(":")
    first = next(iter(lab.regions.values()))
    lines.append(f"\n  names of the clouds: dig @{host} -p {port} +short {first.regional_api}")
    lines.append(f"  what is broken: curl {control}")
    return "\n".join(lines)


def _read_commands(lab: Lab, ended: asyncio.Event) -> None:
    """Obey the lines of standard input. Its end is no reason to stop: the lab may run in the background."""
    loop = asyncio.get_running_loop()

    async def carry_out(line: str) -> None:
        if line.strip() in ("quit", "exit"):
            ended.set()
            return
        try:
            print(await obey(lab, line), flush=True)
        except (ValueError, RuntimeError) as error:
            print(error, flush=True)

    def read() -> None:
        for line in sys.stdin:
            try:
                asyncio.run_coroutine_threadsafe(carry_out(line), loop).result()
            except RuntimeError:  # the loop is closed: we are leaving
                return

    # A thread that waits for a terminal cannot be ended, so it must not hold up the process.
    threading.Thread(target=read, name="commands", daemon=True).start()
