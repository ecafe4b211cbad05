"""What becomes of a packet that nothing lets through: counted, told once in a while, dropped.

The kernel itself leaves out what it has told already. It may forget: the sets that it remembers in
are bounded, and neither a full one nor a limit lets anything pass, as the drop hangs on nothing.
"""

from portward.backends import nft_words as nft
from portward.backends.allowed import WITH_PORTS
from portward.backends.doors import HEADERS
from portward.backends.nft_words import COUNTER, DROP, UNREACHABLE, Chain, Parts, Rule, Set, Words

LOG_GROUP = 5
"""The group of NFLOG on which blocked packets are told (nfnetlink_log of the kernel)."""
LOG_PREFIX = "portward "
_LOG_BYTES = 80
"""Enough for the headers of both families."""
_NEW, _BURST = 500, 500
"""Packets a second that are told and were not before."""
_OTHER = 10
"""Packets a second that are told of those that cannot be remembered: no ports, or a full set."""
_SEEN = 65_536
_SEEN_SECONDS = 300

IN, OUT = "refused", "refused_out"
_TELL = "tell"


def refused() -> Parts:
    """Return the chain for what comes in or is passed on."""
    ports = nft.meta("l4proto", nft.one_of(nft.value(str(one)) for one in WITH_PORTS))
    keys = {
        version: nft.concat(nft.field(header, "saddr"), nft.L4PROTO, nft.field("th", "dport"))
        for version, header in HEADERS.items()
    }
    known = [Rule((ports, nft.is_in(keys[one], f"seen_v{one}"), DROP)) for one in keys]
    new = [Rule((ports, nft.add(f"seen_v{one}", keys[one]), nft.goto(_TELL))) for one in keys]
    rules = (
        Rule((COUNTER,), "blocked"),
        *known,
        *new,
        Rule((nft.limit(_OTHER, "second", _OTHER), _log())),
        Rule((DROP,)),
    )
    tell = (Rule((nft.limit(_NEW, "second", _BURST), _log())), Rule((DROP,)))
    return Parts(tuple(map(_seen, HEADERS)), (Chain(_TELL, tell), Chain(IN, rules)))


def refused_out() -> Parts:
    """Return the chain for what programs of this host send: they are told at once."""
    rules = (
        Rule((COUNTER,), "not sent"),
        Rule((nft.limit(_OTHER, "second", _OTHER), _log())),
        Rule((UNREACHABLE,)),
    )
    return Parts(chains=(Chain(OUT, rules),))


def _log() -> Words:
    return nft.log(LOG_PREFIX, LOG_GROUP, _LOG_BYTES)


def _seen(version: int) -> Set:
    return Set(
        f"seen_v{version}",
        f"ipv{version}_addr . inet_proto . inet_service",
        flags=("dynamic", "timeout"),
        size=_SEEN,
        timeout=_SEEN_SECONDS,
    )
