"""The chain for what this machine sends, where the policy says what that may be."""

from portward.backends import needed, refused
from portward.backends import nft_words as nft
from portward.backends.doors import Doors
from portward.backends.incoming import LOOPBACK
from portward.backends.nft_words import ACCEPT, COUNTER, DROP, Chain, Parts, Rule
from portward.backends.sides import Sides, inner


def sent(doors: Doors, served: Doors, around: Sides) -> Parts:
    """Return the chain of the hook, and those that it leads to; served: what may come in."""
    rules = (
        Rule((nft.meta("oifname", nft.quoted(LOOPBACK)), ACCEPT)),
        Rule((nft.ct_state("established", "related"), ACCEPT)),
        Rule((nft.ct_state("invalid"), COUNTER, DROP)),
        needed.control(needed.ICMP_OUT),
        *needed.dhcp_out(around),
        *_answers(served),
        *(Rule((*by, ACCEPT), "to inner networks") for by in inner("oifname", around)),
        *doors.by_port("dport"),
        Rule((nft.jump(refused.OUT),)),
    )
    base = Chain("output", rules, "filter", "output", 0, "drop")
    return refused.refused_out() + needed.icmp_out(around) + Parts(chains=(base,))


def _answers(served: Doors) -> tuple[Rule, ...]:
    """Let a DHCP server answer clients that had no address to answer to."""
    if not served.serves_dhcp:
        return ()
    return (Rule((*needed.ports(67, 68), ACCEPT), "answers to DHCP clients"),)
