"""Whether the rules let the answers to a packet leave; without them no connection comes about.

The answer to the first packet of a connection belongs to an established connection, and most
rulesets let those out by their first rule. Where they may not, nobody is said to reach a port for
certain. Looked at are answers that leave by the interface that the packet came by; what prerouting
does with the answers of a container is not followed.
"""

from bisect import bisect_right
from typing import TYPE_CHECKING

from portward.model.net import MAX_PORT
from portward.reach.packets import CONNTRACK, NEW, SYN
from portward.reach.ruleset import Kind, Names
from portward.reach.walk import INVALID, Fields, Packet, Undecided, Value
from portward.reach.wording import words

if TYPE_CHECKING:
    from portward.reach.path import Hooked, Paths

ESTABLISHED, IN_REPLY = 2, 1
"""The bit of IP_CT_ESTABLISHED as "ct state" has it; IP_CT_DIR_REPLY."""
ACK = 16

_OF_CONNECTION = ("ct mark", "original saddr", "original sport", "original daddr", "original dport")


class Replies:
    """The chains that answers meet, of one family of a machine."""

    def __init__(self, paths: "Paths") -> None:
        """Look at no rule yet: most packets never get so far."""
        self._paths = paths
        self._met = {
            forwarded: [
                stage
                for hook in ("forward" if forwarded else "output", "postrouting")
                for stage in paths.hooked(hook)
                if stage.base.type != "nat"  # it sees the first packet alone
            ]
            for forwarded in (False, True)
        }
        self._free: dict[tuple[str, str], bool] = {}

    def stopped(self, packet: Packet, device: str | None) -> tuple[int, str]:
        """Return the sources whose answers may not leave, and why.

        device: by which the packet was passed on; None where it is for this machine.
        """
        forwarded = device is not None
        if not self._met[forwarded]:
            return 0, ""
        came_by = str(packet.fields["iifname"])
        if packet.fields["ct state"] == NEW and self.is_free(device or "", came_by):
            return 0, ""
        answer = self._answer(packet, device)
        if not answer.live:
            return 0, ""
        return self._follow(answer, packet.fields, forwarded=forwarded)

    def alike(self, port: int) -> tuple[int, int]:
        """Return the ports, around one, from which answers fare the same."""
        starts = self._paths.reply_ports
        at = bisect_right(starts, port)
        return starts[at - 1], starts[at] - 1 if at < len(starts) else MAX_PORT

    def is_free(self, sent_by: str, leaves_by: str) -> bool:
        """Say whether every answer of a connection that is tracked leaves by an interface.

        sent_by: the interface that an answer to be passed on comes by; empty for one from here.
        """
        key = (sent_by, leaves_by)
        if key not in self._free:
            first: Fields = {
                "nfproto": self._paths.nfproto,
                "iifname": sent_by,
                "oifname": leaves_by,
                "ct state": NEW,
            }
            answer = Packet({**first, "ct state": INVALID}, self._paths.sources.all)
            stopped, _ = self._follow(answer, first, forwarded=bool(sent_by))
            self._free[key] = not stopped
        return self._free[key]

    def _answer(self, packet: Packet, device: str | None) -> Packet:
        """Return the answer to a packet, before connection tracking has seen it.

        What it does not have here nobody knows: whose program sends it, for example.
        """
        fields = packet.fields
        came_by = str(fields["iifname"])
        back = self._paths.spread("iif oif", came_by).bits(Names((came_by,)))
        # To whom a container answers is not looked at, as that would tell many more sources apart.
        someone = Undecided("to whom a container answers")
        answer: Fields = {name: fields[name] for name in ("nfproto", "ether type", "l4proto")}
        flags: Value = None
        if fields.get("tcp flags") is not None:
            flags = fields.get("answer flags", SYN | ACK)
        return Packet(
            answer
            | {
                "iifname": device or "",
                "oifname": came_by,
                "saddr": fields["daddr"],
                "daddr": someone if device else fields["saddr"],
                "sport": fields["dport"],
                "dport": someone if device else fields.get("sport", Undecided("sport")),
                "mark": 0,
                "tcp flags": flags,
                "ct state": INVALID,
                "ct direction": None,
                **dict.fromkeys(_OF_CONNECTION),
            },
            packet.live & back,
        )

    def _follow(self, answer: Packet, first: Fields, *, forwarded: bool) -> tuple[int, str]:
        walk = self._paths.walk()
        packets = [_tracked(answer, first) if forwarded else answer]
        tracked, stopped = forwarded, 0
        for stage in self._met[forwarded]:
            if not tracked and _is_tracked(stage):
                packets, tracked = [_tracked(one, first) for one in packets], True
            outcome = walk.base(stage.table, stage.chain, packets)
            packets = outcome.accepted
            for _, one in outcome.ended:
                stopped |= one.live
        by = next((one for one in walk.decisions if one.kind != Kind.ACCEPT), None)
        if by is None:
            return stopped, ""
        return stopped, f"whether answers leave ({words(by.place, by.kind)})"


def _is_tracked(stage: "Hooked") -> bool:
    return stage.base.hook != "output" or stage.base.priority >= CONNTRACK


def _tracked(answer: Packet, first: Fields) -> Packet:
    """Let connection tracking find the connection of an answer."""
    if answer.fields.get("ct state", INVALID) != INVALID:
        return answer  # a rule said no
    if first["ct state"] != NEW:
        names = ("ct state", "ct direction", *_OF_CONNECTION)
        return answer.changed({name: Undecided(name) for name in names})
    known = {name: first[name] for name in _OF_CONNECTION if name in first}
    return answer.changed({"ct state": ESTABLISHED, "ct direction": IN_REPLY, **known})
