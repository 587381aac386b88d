"""Blocks of loopback addresses: one per lab."""

import contextlib
import socket
from collections.abc import Iterator

import pytest

from detour_lab.loopback import LOCK_PORT, LoopbackBlock, LoopbackError

FIRST = 100
"""Beyond the blocks that a lab takes by itself, so that a demo that runs beside is not in the way."""


@pytest.fixture
def block() -> Iterator[LoopbackBlock]:
    found = LoopbackBlock.claim(FIRST, FIRST + 20)
    yield found
    found.release()


def test_two_labs_get_different_blocks(block: LoopbackBlock) -> None:
    with contextlib.closing(_Releasing(LoopbackBlock.claim(FIRST, FIRST + 20))) as other:
        assert other.block.number > block.number


def test_a_released_block_can_be_had_again(block: LoopbackBlock) -> None:
    block.release()
    again = LoopbackBlock.claim(block.number, block.number)
    again.release()
    assert again.number == block.number


def test_without_a_free_block_the_error_says_what_to_do(block: LoopbackBlock) -> None:
    with pytest.raises(LoopbackError, match=rf"127\.{block.number}\.0\.0/16.*stop a lab.*{LOCK_PORT}"):
        LoopbackBlock.claim(block.number, block.number)


def test_the_lock_is_on_the_first_address(block: LoopbackBlock) -> None:
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind((block.address(0, 1), LOCK_PORT))


def test_text_for_the_first_block_is_rewritten_for_ours(block: LoopbackBlock) -> None:
    text = "server: 127.53.0.11:5300, bind: 127.0.0.1:15353, elsewhere: 127.0.0.1:8080"
    number = block.number
    assert block.rewrite(text) == (
        f"server: 127.{number}.0.11:5300, bind: 127.0.0.1:{15300 + number}, elsewhere: 127.0.0.1:8080"
    )


class _Releasing:
    def __init__(self, block: LoopbackBlock) -> None:
        self.block = block

    def close(self) -> None:
        self.block.release()
