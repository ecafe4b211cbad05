"""Answers on ports with the address and port that were reached; run inside of a guest.

usage: answering.py 22/tcp 161/udp ...
"""

import selectors
import socket
import struct
import sys

_V6_PKTINFO = struct.Struct("16sI")
_V4_PKTINFO = struct.Struct("I4s4s")
_IP_PKTINFO = 8
"""linux/in.h; Python names it only from 3.14 on."""


def main() -> None:
    """Open every port in both families and answer forever."""
    ready = selectors.DefaultSelector()
    for word in sys.argv[1:]:
        port, _, protocol = word.partition("/")
        for family, wildcard in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
            kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
            opened = socket.socket(family, kind)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            else:
                opened.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
            opened.bind((wildcard, int(port)))
            if protocol == "tcp":
                opened.listen(64)
            ready.register(opened, selectors.EVENT_READ, accept if protocol == "tcp" else echo)
    while True:
        for key, _ in ready.select():
            key.data(key.fileobj)


def accept(listening: socket.socket) -> None:
    """Tell a client where it arrived."""
    connection, _ = listening.accept()
    with connection:
        address, port = connection.getsockname()[:2]
        connection.sendall(f"{address} {port}".encode())


def echo(opened: socket.socket) -> None:
    """Answer a datagram from the address that it was sent to."""
    _, controls, _, sender = opened.recvmsg(64, 256)
    level, kind, data = controls[0]
    if opened.family == socket.AF_INET6:
        packed, _ = _V6_PKTINFO.unpack(data)
        answer_from = _V6_PKTINFO.pack(packed, 0)
    else:
        _, _, packed = _V4_PKTINFO.unpack(data)
        answer_from = _V4_PKTINFO.pack(0, packed, packed)
    address = socket.inet_ntop(opened.family, packed)
    text = f"{address} {opened.getsockname()[1]}".encode()
    opened.sendmsg([text], [(level, kind, answer_from)], 0, sender)


if __name__ == "__main__":
    main()
