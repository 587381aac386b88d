"""Real BIND 9 and real Knot as ordinary processes on a loopback port, serving one zone or several to one TSIG key.

What an emulator gets wrong, a test against it cannot show. These are the servers that people run: each in the
foreground, in a private folder with a configuration written for it, stopped by its process id and never outliving us.
The machine's own services, if any, are neither used nor touched.
"""

import asyncio
import base64
import secrets
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.tsig

from detour_lab.controlplane.ports import free_ports
from detour_lab.controlplane.process import Process

START_TIMEOUT = 15.0
STOP_GRACE = 5.0
ATTEMPTS = 3
"""A free port can be taken by somebody else between looking and listening: then another one is tried."""


class MissingServerError(RuntimeError):
    """The server's Debian package is not installed."""


@dataclass(frozen=True, slots=True)
class UpdateKey:
    """A TSIG key (RFC 8945) that may update and transfer; `secret` in base64."""

    name: str
    secret: str
    algorithm: str = "hmac-sha256"

    @classmethod
    def random(cls, name: str = "detour") -> Self:
        """Return a new key of 256 bits."""
        return cls(name, base64.b64encode(secrets.token_bytes(32)).decode())

    def as_secret(self) -> dict[str, str]:
        """Return the data of the Secret that gives this key to Detour."""
        return {"keyName": self.name, "algorithm": self.algorithm, "secret": self.secret}


class RealServer:
    """One server with one zone or more, under one key; an async context manager, or `start` and `stop`."""

    package: ClassVar[str]
    program: ClassVar[str]
    hopeless: ClassVar[str]  # what the program says when it runs on without a port to listen on
    signs: ClassVar[bool] = False  # it signs its zones by itself (DNSSEC)

    def __init__(
        self,
        domain: str,
        key: UpdateKey,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        negative_ttl: int = 30,
        more_domains: Sequence[str] = (),
    ) -> None:
        """Prepare to serve `domain` with no data yet, and beside it a zone for each of `more_domains`.

        Port 0 takes a free one; `negative_ttl` in seconds.
        """
        self.domain = domain
        self.domains = (domain, *more_domains)
        self.key = key
        self.host = host
        self.port = port
        self.negative_ttl = negative_ttl
        self.folder = Path()
        self._process: Process | None = None

    @property
    def address(self) -> str:
        """`address:port` of the server, UDP and TCP."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def find(cls) -> str:
        """Return the path of the program. Raises MissingServerError where its package is not installed."""
        # Debian keeps servers in /usr/sbin, which is not on an ordinary user's PATH.
        path = shutil.which(cls.program) or shutil.which(cls.program, path="/usr/sbin:/usr/local/sbin")
        if path is None:
            raise MissingServerError(
                f"{cls.program} is not installed: on Debian and Ubuntu, "
                f"apt-get install --no-install-recommends {cls.package} (its service need not run)"
            )
        return path

    async def start(self) -> None:
        """Start and wait until every zone is answered.

        Raises MissingServerError without the program, RuntimeError with the end of its log where it does not start.
        """
        program = self.find()
        self.folder = Path(tempfile.mkdtemp(prefix=f"detour-{self.program}-"))
        fixed = self.port != 0
        try:
            for attempt in range(1, ATTEMPTS + 1):
                if not fixed:
                    (self.port,) = free_ports(1, self.host)
                for domain in self.domains:
                    (self.folder / _file_name(domain)).write_text(self._zone_file(domain))
                command = [program, *self._configure()]
                log = self.folder / f"log-{attempt}"  # what failed before is told there alone
                process = Process(self.program, command, log=log, folder=self.folder)
                self._process = process
                if await self._answers(process):
                    return
                process.stop(STOP_GRACE)
                if fixed or attempt == ATTEMPTS:
                    raise RuntimeError(f"{self.program} does not serve {self.domain}; it said:\n{process.log_tail()}")
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop the server and remove its folder. Again is harmless."""
        process, self._process = self._process, None
        if process is not None:
            await asyncio.to_thread(process.stop, STOP_GRACE)
            shutil.rmtree(self.folder, ignore_errors=True)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _answers(self, process: Process) -> bool:
        give_up = asyncio.get_running_loop().time() + START_TIMEOUT
        for domain in self.domains:
            if not await self._answers_for(domain, process, give_up):
                return False
        return True

    async def _answers_for(self, domain: str, process: Process, give_up: float) -> bool:
        # A zone that is being signed shows its keys last.
        query = dns.message.make_query(domain, "DNSKEY" if self.signs else "SOA")
        # Signed, so that another server on this port, serving the same domain, isn't taken for ours.
        query.use_tsig(dns.tsig.Key(self.key.name, self.key.secret, self.key.algorithm))
        while (
            process.running
            and self.hopeless not in process.log_tail(40)
            and asyncio.get_running_loop().time() < give_up
        ):
            try:
                answer = await dns.asyncquery.tcp(query, self.host, port=self.port, timeout=0.5)
            except (OSError, EOFError, dns.exception.DNSException):
                await asyncio.sleep(0.02)
                continue
            if answer.flags & dns.flags.AA and answer.answer:
                return True
            await asyncio.sleep(0.02)
        return False

    def _zone_file(self, domain: str) -> str:
        ttl = self.negative_ttl
        return (
            f"$ORIGIN {domain}.\n"
            f"@ {ttl} IN SOA ns1.lab.invalid. hostmaster.lab.invalid. 1 7200 900 1209600 {ttl}\n"
            f"@ 3600 IN NS ns1.lab.invalid.\n"
        )

    def _configure(self) -> list[str]:
        """Write the configuration into the folder and return the program's arguments."""
        raise NotImplementedError


class RealBIND(RealServer):
    """ISC BIND 9."""

    package = "bind9"
    program = "named"
    hopeless = "address in use"

    def _configure(self) -> list[str]:
        zones = "".join(
            f"""
            zone "{domain}" {{
                type primary;
                file "{_file_name(domain)}";
                allow-update {{ key "{self.key.name}"; }};
                allow-transfer {{ key "{self.key.name}"; }};
                {self._zone_clauses()}
            }};"""
            for domain in self.domains
        )
        family, other = ("listen-on-v6", "listen-on") if ":" in self.host else ("listen-on", "listen-on-v6")
        configuration = f"""
            options {{
                directory "{self.folder}";
                {family} port {self.port} {{ {self.host}; }};
                {other} {{ none; }};
                pid-file none;
                session-keyfile none;
                recursion no;
                notify no;
                dnssec-validation no;
                empty-zones-enable no;
                reuseport no;
            }};
            controls {{ }};
            {self._policy()}
            key "{self.key.name}" {{ algorithm {self.key.algorithm}; secret "{self.key.secret}"; }};
            {zones}
        """
        (self.folder / "named.conf").write_text(configuration)
        return ["-g", "-n", "1", "-c", str(self.folder / "named.conf")]

    def _zone_clauses(self) -> str:
        """Return what else a zone's block says."""
        return ""

    def _policy(self) -> str:
        """Return the DNSSEC policy that zones refer to."""
        return ""


class SignedInlineBIND(RealBIND):
    """BIND that signs a copy of each zone: updates go to the plain one, answers come from the signed one, later."""

    signs = True
    inline = "yes"
    denial = ""

    def _zone_clauses(self) -> str:
        return f'dnssec-policy lab; inline-signing {self.inline}; key-directory "{self.folder}";'

    def _policy(self) -> str:
        keys = "keys { csk lifetime unlimited algorithm ecdsap256sha256; };"
        return f"dnssec-policy lab {{ {keys} {self.denial} }};"


class SignedInPlaceBIND(SignedInlineBIND):
    """BIND that signs the zone itself, with NSEC3: an update and its signatures are one version of the zone."""

    inline = "no"
    denial = "nsec3param iterations 0 optout no salt-length 0;"


class RealKnot(RealServer):
    """CZ.NIC Knot DNS."""

    package = "knot"
    program = "knotd"
    hopeless = "failed to bind"

    def _configure(self) -> list[str]:
        zones = "".join(
            f"""  - domain: {domain}
    storage: "{self.folder}"
    file: {_file_name(domain)}
    acl: detour
{self._zone_clauses()}"""
            for domain in self.domains
        )
        configuration = f"""
server:
    rundir: "{self.folder}"
    listen: "{self.host}@{self.port}"
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
log:
  - target: stderr
    any: warning
database:
    storage: "{self.folder}"
    journal-db-max-size: 256M
key:
  - id: {self.key.name}
    algorithm: {self.key.algorithm}
    secret: {self.key.secret}
acl:
  - id: detour
    key: {self.key.name}
    action: [transfer, update]
{self._policy()}zone:
{zones}"""
        (self.folder / "knot.conf").write_text(configuration)
        return ["-c", str(self.folder / "knot.conf")]

    def _zone_clauses(self) -> str:
        """Return what else a zone's section says."""
        return ""

    def _policy(self) -> str:
        """Return the section of the DNSSEC policy that zones refer to."""
        return ""


class SignedKnot(RealKnot):
    """Knot that signs its zones, as part of each update."""

    signs = True

    def _zone_clauses(self) -> str:
        return "    dnssec-signing: on\n    dnssec-policy: lab\n"

    def _policy(self) -> str:
        return "policy:\n  - id: lab\n    single-type-signing: on\n    nsec3: off\n    cds-cdnskey-publish: always\n"


def _file_name(domain: str) -> str:
    return f"{domain}.zone"
