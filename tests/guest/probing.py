"""Knocks on ports for real, all at once; runs on the host and, as a script, inside of a guest.

usage: probing.py JSON, a list of knocks; it prints a list with what answered each
"""

import contextlib
import json
import selectors
import socket
import sys
import time
from typing import Any

SECONDS = 2.5
"""How long silence is waited for: one repetition of a SYN (RFC 6298: after one second)."""

ROUNDS = 12
"""More than any limit of the scenes lets through at once."""


def probe(knocks: list[dict[str, Any]]) -> list[list[str | None]]:
    """Return what answered: "address port" of the server, or None for silence and refusal.

    One answer for each knock, but two for one that is "limited": the first, and the first other
    (a limit lets the first packet through, so silence is not asked again).
    """
    answers: list[list[str | None]] = [[answer] for answer in _once(knocks)]
    for _ in range(ROUNDS):
        again = [
            index
            for index, knock in enumerate(knocks)
            if knock["limited"] and len(answers[index]) == 1 and answers[index][0]
        ]
        if not again:
            break
        for index, answer in zip(again, _once([knocks[one] for one in again]), strict=True):
            if answer != answers[index][0]:
                answers[index].append(answer)
    return answers


def _once(knocks: list[dict[str, Any]]) -> list[str | None]:
    answers: list[str | None] = [None] * len(knocks)
    ready = selectors.DefaultSelector()
    for index, knock in enumerate(knocks):
        family = socket.AF_INET6 if ":" in knock["address"] else socket.AF_INET
        kind = socket.SOCK_STREAM if knock["protocol"] == "tcp" else socket.SOCK_DGRAM
        opened = socket.socket(family, kind)
        opened.setblocking(False)  # noqa: FBT003 - the standard library has no other name for it
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, knock["leave_by"].encode())
        opened.bind((knock["source"], 0))
        target = (knock["address"], knock["port"])
        if kind == socket.SOCK_DGRAM:
            # Not connected, for docker-proxy may answer from another address.
            opened.sendto(b"?", target)
            ready.register(opened, selectors.EVENT_READ, index)
            continue
        with contextlib.suppress(BlockingIOError):
            opened.connect(target)
        ready.register(opened, selectors.EVENT_WRITE, index)
    end = time.monotonic() + SECONDS
    while ready.get_map() and (left := end - time.monotonic()) > 0:
        for key, events in ready.select(left):
            opened = key.fileobj  # type: ignore[assignment]  # only sockets are registered
            if (
                events & selectors.EVENT_WRITE
                and opened.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
            ):
                ready.modify(opened, selectors.EVENT_READ, key.data)
                continue
            try:
                answers[key.data] = opened.recv(128).decode() or None
            except OSError:
                answers[key.data] = None
            ready.unregister(opened)
            opened.close()
    for key in list(ready.get_map().values()):
        key.fileobj.close()  # type: ignore[union-attr]  # only sockets are registered
    ready.close()
    return answers


if __name__ == "__main__":
    sys.stdout.write(json.dumps(probe(json.loads(sys.argv[1]))))
