"""What the benches check: places that take connections until they are broken, and how processes are run and ended."""

import asyncio
import contextlib
import datetime
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from detour_lab.services.certificates import CertificateAuthority

NGINX = """daemon off; worker_processes 1; pid {work}/nginx-{name}.pid; error_log {work}/error-{name}.log;
worker_rlimit_nofile 60000; events {{ worker_connections 30000; }}
http {{ access_log off; keepalive_timeout 0; ssl_session_tickets off; ssl_session_cache off;
  server {{ {listens}
    ssl_certificate {work}/chain.pem; ssl_certificate_key {work}/key.pem;
    location / {{ return 200 'ok'; }} }} }}
"""


class Service(Protocol):
    """A place that can be broken, and mended."""

    async def mend(self) -> None:
        """Answer, from now on."""

    async def break_(self) -> None:
        """Refuse connections; again is harmless."""


class TCPService:
    """Takes TCP connections at one address, until it is broken."""

    def __init__(self, address: str, port: int) -> None:
        self._address, self._port = address, port
        self._server: asyncio.Server | None = None

    async def mend(self) -> None:
        self._server = await asyncio.start_server(
            lambda _, writer: writer.close(), self._address, self._port, backlog=512
        )

    async def break_(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None


class TLSService:
    """An nginx that answers HTTPS at some addresses, with the certificate that `prepare_tls` left in `work`."""

    def __init__(self, work: Path, name: str, addresses: Sequence[str], port: int) -> None:
        listens = " ".join(f"listen {_literal(each)}:{port} ssl backlog=8192;" for each in addresses)
        (work / f"{name}.conf").write_text(NGINX.format(work=work, name=name, listens=listens))
        self._work, self._name = work, name
        self._first = (addresses[0], port)
        self._ends = contextlib.ExitStack()

    def start(self) -> None:
        arguments = ["nginx", "-p", str(self._work), "-c", str(self._work / f"{self._name}.conf")]
        process = self._ends.enter_context(running(self._name, arguments, self._work))
        while not self._listens():
            if process.poll() is not None:
                raise RuntimeError(f"nginx has ended: {(self._work / f'error-{self._name}.log').read_text()[-500:]}")
            time.sleep(0.02)  # nginx says nothing once it listens

    def _listens(self) -> bool:
        try:
            socket.create_connection(self._first, timeout=1.0).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        """End it; again is harmless."""
        self._ends.close()

    async def mend(self) -> None:
        await asyncio.to_thread(self.start)

    async def break_(self) -> None:
        await asyncio.to_thread(self.stop)


def prepare_tls(work: Path, name: str) -> str:
    """Write a certificate for `name` where TLSService looks for it; return the authority's.

    Raises SystemExit where nginx is not installed.
    """
    if shutil.which("nginx") is None:
        raise SystemExit("nginx is missing, which answers the checks: install nginx-light")
    work.chmod(0o755)
    authority = CertificateAuthority(datetime.datetime.now(datetime.UTC))
    certificate = authority.valid(name)
    (work / "chain.pem").write_text(certificate.certificate)
    (work / "key.pem").write_text(certificate.key)
    return authority.pem


def _literal(address: str) -> str:
    return f"[{address}]" if ":" in address else address


@contextlib.contextmanager
def running(name: str, arguments: list[str], work: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process, and end it."""
    with (work / f"{name}.log").open("a") as log:
        process = subprocess.Popen(arguments, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(10)
