"""What is known of every probe of a block: one record each, in memory that a program shares (pure).

The layout is that of ``struct probe`` in scan.bpf.c, which reads and writes the same bytes.
"""

import struct
from mmap import mmap
from typing import NamedTuple

from portward.scan.wire import Answer, Kind

RECORD = struct.Struct("=IIBBBBB3x16s")
_TIME = struct.Struct("=I")
_ANSWERED = struct.Struct("=IBBBB")
_STATE, _SENDER = 8, 16
NO_TIME = 0xFFFFFFFF


class Record(NamedTuple):
    """One probe and its answer."""

    cookie: int
    time: int
    """Microseconds: without an answer, when it was sent last, on a clock that wraps; with one,
    how long the answer took, or NO_TIME."""
    state: int
    """A wire.Kind."""
    hops: int
    kind: int
    """Type of ICMP; of a SYN-ACK, 1 if it is a bare one."""
    code: int
    tries: int
    """How often it was sent, modulo 256."""
    sender: bytes
    """Of an ICMP error."""


class Table:
    """The records of a block."""

    def __init__(self, memory: bytearray | mmap, count: int, noise: bytes) -> None:
        """Lay out count records in zeroed memory; noise are four random bytes for each cookie."""
        self.memory = memory
        self.count = count
        end = count * RECORD.size
        for place in range(4):
            self.memory[place : end : RECORD.size] = noise[place * count : (place + 1) * count]

    def states(self) -> bytes:
        """Return the state of each probe, a byte each."""
        return bytes(self.memory[_STATE : self.count * RECORD.size : RECORD.size])

    def states_of(self, first: int, count: int) -> bytes:
        """Return the states of some probes."""
        size = RECORD.size
        return bytes(self.memory[first * size + _STATE : (first + count) * size : size])

    def record(self, number: int) -> Record:
        """Return one record."""
        return Record._make(RECORD.unpack_from(self.memory, number * RECORD.size))

    def cookie(self, number: int) -> int:
        """Return the cookie of a probe."""
        found: int = _TIME.unpack_from(self.memory, number * RECORD.size)[0]
        return found

    def sent(self, number: int, now: int, tries: int) -> None:
        """Note that a probe is sent now, for the so-and-so-many-th time."""
        at = number * RECORD.size
        _TIME.pack_into(self.memory, at + 4, now & NO_TIME)
        self.memory[at + 12] = tries & 0xFF

    def answered(self, number: int, answer: Answer, now: int, tries: int | None) -> bool:
        """Take an answer to a probe; say whether it is the first one.

        tries is the try that it answers: only of the last one it is known when it was sent. A
        SYN-ACK outweighs what else came before it.
        """
        at = number * RECORD.size
        state = self.memory[at + _STATE]
        if state and not (answer.kind == Kind.OPEN != state):
            return False
        time = NO_TIME
        if not state and tries is not None and tries & 0xFF == self.memory[at + 12]:
            time = (now - _TIME.unpack_from(self.memory, at + 4)[0]) & NO_TIME
        kind, code = (answer.bare, 0) if answer.kind == Kind.OPEN else answer.icmp
        _ANSWERED.pack_into(self.memory, at + 4, time, answer.kind, answer.hops & 0xFF, kind, code)
        if answer.sender:
            self.memory[at + _SENDER : at + _SENDER + 16] = answer.sender.ljust(16, b"\0")
        return not state
