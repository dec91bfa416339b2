"""The socket below the services' MQTT connections: nothing is lost, reordered or left lying in it."""

import contextlib
import socket
from collections.abc import Iterator

import pytest

from pingan.packet_socket import SEND_BYTES, PacketSocket


@pytest.fixture
def line() -> Iterator[tuple[PacketSocket, socket.socket]]:
    ours, theirs = socket.socketpair()
    packets = PacketSocket(ours)
    packets.setblocking(False)
    yield packets, theirs
    packets.close()
    theirs.close()


def test_what_was_read_at_once_is_given_in_pieces(line: tuple[PacketSocket, socket.socket]) -> None:
    packets, theirs = line
    with pytest.raises(BlockingIOError):
        packets.recv(1)
    theirs.sendall(b"abcdef")
    assert [packets.recv(1), packets.recv(2), packets.ahead] == [b"a", b"bc", True]
    assert [packets.recv(9), packets.ahead] == [b"def", False]
    theirs.close()
    assert [packets.recv(1), packets.recv(1)] == [b"", b""]


def test_what_is_sent_goes_together_and_at_the_latest_with_the_close(line: tuple[PacketSocket, socket.socket]) -> None:
    packets, theirs = line
    assert [packets.send(b"ab"), packets.send(b"c")] == [2, 1]
    theirs.setblocking(False)
    with pytest.raises(BlockingIOError):
        theirs.recv(9)
    assert packets.flush()
    assert theirs.recv(9) == b"abc"
    packets.send(b"d")
    packets.close()
    assert theirs.recv(9) == b"d"


def test_a_full_line_is_told_and_nothing_of_it_is_lost(line: tuple[PacketSocket, socket.socket]) -> None:
    packets, theirs = line
    sent, piece = 0, b"0123456789" * 100
    with contextlib.suppress(BlockingIOError):
        while sent < 100 * SEND_BYTES:
            sent += packets.send(piece)
    assert sent < 100 * SEND_BYTES
    assert not packets.flush()
    got = bytearray()
    while len(got) < sent:
        got += theirs.recv(65_536)
        packets.flush()
    assert bytes(got) == piece * (sent // len(piece))


def test_closing_a_line_whose_other_end_is_gone_is_no_error(line: tuple[PacketSocket, socket.socket]) -> None:
    packets, theirs = line
    theirs.close()
    packets.send(b"a")
    packets.close()
