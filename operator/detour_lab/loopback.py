"""A block of loopback addresses for one lab, so that several labs on one machine don't meet.

On Linux all of 127.0.0.0/8 is local. A lab takes 127.53.0.0/16, the block that the quickstart's manifests are written
for, or the next one that is free; inside it every address and port is fixed. A bound port on the block's first
address is the lock: it is gone with the process, however that ends.
"""

import errno
import socket
from typing import Self

FIRST_BLOCK = 53
LAST_BLOCK = 99
LOCK_PORT = 5300
PLAIN_PORTS = 15300


class LoopbackError(RuntimeError):
    """No block could be had."""


class LoopbackBlock:
    """The addresses 127.`number`.0.0/16, ours until `release`."""

    def __init__(self, number: int, lock: socket.socket) -> None:
        self.number = number
        self._lock = lock

    @classmethod
    def claim(cls, first: int = FIRST_BLOCK, last: int = LAST_BLOCK) -> Self:
        """Return the first free block from 127.`first` to 127.`last`. Raises LoopbackError where there is none."""
        for number in range(first, last + 1):
            lock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            try:
                lock.bind((f"127.{number}.0.1", LOCK_PORT))
            except OSError as error:
                lock.close()
                if error.errno == errno.EADDRNOTAVAIL:
                    raise LoopbackError(
                        f"127.{number}.0.1 is not an address of this machine: the lab needs Linux, where all of "
                        "127.0.0.0/8 is loopback"
                    ) from error
                continue
            return cls(number, lock)
        raise LoopbackError(
            f"every block from 127.{first}.0.0/16 to 127.{last}.0.0/16 is taken: stop a lab, or whatever holds port "
            f"{LOCK_PORT} on all addresses"
        )

    def address(self, third: int, fourth: int) -> str:
        """Return 127.`number`.`third`.`fourth`."""
        return f"127.{self.number}.{third}.{fourth}"

    @property
    def plain_port(self) -> int:
        """The block's port on 127.0.0.1, for a server that sees no other loopback address: 15300 + `number`."""
        return PLAIN_PORTS + self.number

    def rewrite(self, text: str) -> str:
        """Return `text`, which is written for 127.53.0.0/16, with this block's addresses and port."""
        plain = text.replace(f"127.0.0.1:{PLAIN_PORTS + FIRST_BLOCK}", f"127.0.0.1:{self.plain_port}")
        return plain.replace(f"127.{FIRST_BLOCK}.", f"127.{self.number}.")

    def release(self) -> None:
        """Let another lab have the block. Again is harmless."""
        self._lock.close()
