"""A line to the API server that can be cut for one client alone: a TCP proxy, and a kubeconfig that goes through it."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Self

import yaml

CHUNK = 65536


class CuttableLine:
    """An async context manager. While it is cut, connections break at once, as where a firewall refuses them."""

    def __init__(self, *, host: str, port: int, kubeconfig: Path, content: str) -> None:
        self.kubeconfig = kubeconfig
        self._host = host
        self._port = port
        self._content = content
        self._is_cut = False
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    @classmethod
    def to(cls, kubeconfig: Path, copy: Path) -> "CuttableLine":
        """Return a line to the API server of `kubeconfig`; `copy` will lead through it."""
        content = kubeconfig.read_text()
        address = str(yaml.safe_load(content)["clusters"][0]["cluster"]["server"]).removeprefix("https://")
        host, _, port = address.rpartition(":")
        return cls(host=host, port=int(port), kubeconfig=copy, content=content)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._carry, self._host, 0)
        port = self._server.sockets[0].getsockname()[1]
        self.kubeconfig.write_text(self._content.replace(f"{self._host}:{self._port}", f"{self._host}:{port}"))
        return self

    async def __aexit__(self, *error: object) -> None:
        self.cut()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def cut(self) -> None:
        """Break every connection, and each new one."""
        self._is_cut = True
        for each in self._open:
            each.transport.abort()

    def mend(self) -> None:
        """Let connections through again."""
        self._is_cut = False

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.transport.abort()
            return
        there_reader, there_writer = await asyncio.open_connection(self._host, self._port)
        ends = {writer, there_writer}
        self._open |= ends
        try:
            await asyncio.wait(
                [
                    asyncio.ensure_future(_copy(reader, there_writer)),
                    asyncio.ensure_future(_copy(there_reader, writer)),
                ]
            )
        finally:
            self._open -= ends
            for each in ends:
                each.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()
