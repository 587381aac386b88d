"""Checks per CPU-second, side by side in one run: Detour's, gdnsd's http_status, and blackbox_exporter's http_2xx.

Run `make bench-probers`; Debian has nginx-light, gdnsd and prometheus-blackbox-exporter, and what is missing is left
out. Each prober asks N addresses of this host over plain HTTP, one GET each every 3 s; blackbox_exporter, which asks
when it is asked, as fast as it can with 32 clients. One nginx answers them all, and its own cost is not counted.
Detour is measured with its scheduler and its event loop in a process of its own, without Kubernetes.
"""

import argparse
import asyncio
import http.client
import json
import os
import random
import shutil
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import uvloop
from services import running

from detour.checks.guard import NetworkGuard
from detour.checks.http import HTTPProber
from detour.checks.run import run_check
from detour.checks.scheduler import CheckScheduler
from detour.model.checks import CheckResult, CheckTiming, HTTPCheck, StatusRange, Target

PORT, GDNSD_PORT, BLACKBOX_PORT = 18_777, 15_399, 19_115
INTERVAL = 3.0
CLIENTS = 32
TICKS = os.sysconf("SC_CLK_TCK")
RESULTS = Path(__file__).parents[2] / "build" / "bench"

NGINX = """daemon off; worker_processes 1; pid {work}/nginx.pid; error_log {work}/error.log; worker_rlimit_nofile 60000;
events {{ worker_connections 30000; }}
http {{ access_log off; keepalive_timeout 0;
  server {{ listen 0.0.0.0:{port} backlog=8192;
    location / {{ return 200 'ok'; }} location = /hits {{ stub_status; }} }} }}
"""


def address(number: int) -> str:
    """Return one of many addresses of this host."""
    return f"127.{10 + number // 62_500}.{number // 250 % 250}.{number % 250 + 1}"


def hits() -> int:
    """Return how many requests nginx has answered."""
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/hits", timeout=5) as answer:
        return int(answer.read().split()[9])


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def measure(pid: int, seconds: float, *, warm: float) -> float:
    """Return the checks per CPU-second of a process, once it has been at work for `warm` seconds."""
    time.sleep(warm)
    before, used = hits(), cpu_seconds(pid)
    time.sleep(seconds)
    return (hits() - before) / max(cpu_seconds(pid) - used, 1 / TICKS)


def gdnsd(count: int, seconds: float, work: Path) -> float:
    """Measure gdnsd's monitor."""
    home = work / "gdnsd"
    for each in ("zones", "state", "run"):
        (home / each).mkdir(parents=True)
    places = "\n".join(f"r{n} => {{ addrs_v4 => {{ a => {address(n)} }} service_types => web }}" for n in range(count))
    names = "\n".join(f"r{number} DYNA multifo!r{number}" for number in range(count))
    (home / "config").write_text(
        f"options => {{ listen => 127.0.0.1:{GDNSD_PORT} run_dir => {home}/run state_dir => {home}/state }}\n"
        f"service_types => {{ web => {{ plugin => http_status port => {PORT} url_path => / ok_codes => [200] "
        f"interval => {INTERVAL:g} timeout => 2 }} }}\nplugins => {{ multifo => {{ {places} }} }}\n"
    )
    zone = f"$TTL 30\n@ SOA ns1 host ( 1 7200 1800 259200 900 )\n@ NS ns1\nns1 A 127.0.0.1\n{names}\n"
    (home / "zones" / "example.com").write_text(zone)
    with running("gdnsd", ["gdnsd", "-c", str(home), "start"], work) as process:
        return measure(process.pid, seconds, warm=10)


def blackbox(count: int, seconds: float, work: Path) -> float:
    """Measure blackbox_exporter."""
    (work / "blackbox.yml").write_text(
        "modules: {http_2xx: {prober: http, timeout: 2s, http: {preferred_ip_protocol: ip4}}}\n"
    )
    arguments = [f"--config.file={work}/blackbox.yml", f"--web.listen-address=127.0.0.1:{BLACKBOX_PORT}"]
    stop = threading.Event()

    def ask(first: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", BLACKBOX_PORT)
        number = first
        while not stop.is_set():
            connection.request("GET", f"/probe?module=http_2xx&target=http://{address(number % count)}:{PORT}/")
            connection.getresponse().read()
            number += CLIENTS

    with running("blackbox", ["prometheus-blackbox-exporter", *arguments, "--log.level=error"], work) as process:
        time.sleep(1)
        clients = [threading.Thread(target=ask, args=(number,), daemon=True) for number in range(CLIENTS)]
        for client in clients:
            client.start()
        try:
            return measure(process.pid, seconds, warm=2)
        finally:
            stop.set()
            for client in clients:
                client.join(5)


def detour(count: int, seconds: float, work: Path) -> float:
    """Measure Detour's checks."""
    with running("detour", [sys.executable, __file__, "--check", str(count)], work) as process:
        return measure(process.pid, seconds, warm=5)


async def check(count: int) -> None:
    """Check so many addresses for ever."""
    loop, guard, prober = asyncio.get_running_loop(), NetworkGuard.from_text(["127.0.0.0/8"]), HTTPProber()
    timing = CheckTiming(INTERVAL, 1.0, 2.0, 3, 3)
    probe = HTTPCheck(
        tls=False,
        port=PORT,
        path="/",
        host="example.com",
        server_name="example.com",
        expected_statuses=(StatusRange(200, 299),),
    )

    async def run(target: Target) -> CheckResult:
        return await run_check(target, guard=guard, http=prober, clock=loop.time)

    scheduler = CheckScheduler(run, on_result=lambda *_: INTERVAL, in_flight=500, random=random.Random(1))
    scheduler.update([Target(address(number), probe, timing) for number in range(count)])
    await scheduler.run()


def main() -> None:
    """Measure each prober that is there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--targets", type=int, default=3_000)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--check", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.check:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(check(options.check))
        return
    if shutil.which("nginx") is None:
        sys.exit("nginx is missing, which answers the checks: install nginx-light")
    probers = {"gdnsd": gdnsd, "prometheus-blackbox-exporter": blackbox, "detour": detour}
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        work.chmod(0o755)
        (work / "nginx.conf").write_text(NGINX.format(work=work, port=PORT))
        with running("nginx", ["nginx", "-c", str(work / "nginx.conf"), "-p", folder], work):
            time.sleep(1)
            for name, run in probers.items():
                if name != "detour" and shutil.which(name) is None:
                    print(f"{name} is not installed: left out", flush=True)
                    continue
                figures[name] = run(options.targets, options.seconds, work)
                print(f"{name} checks_per_cpu_second={figures[name]:.0f}", flush=True)
    for name in figures.keys() - {"detour"}:
        print(f"detour / {name} = {figures['detour'] / figures[name]:.2f}")
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "probers.json").write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
