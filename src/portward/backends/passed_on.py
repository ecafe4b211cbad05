"""The chains for what this machine passes on: for containers, or as a router.

Another host's packets are passed on from inner networks to the outside, and answers back. From the
outside comes in what the policy allows: the port that the packet was sent to before somebody's
rules translated its destination (a published port of a container) has to be an allowed one.
"""

from portward.backends import nft_words as nft
from portward.backends import refused
from portward.backends.incoming import PUBLISHED, windows_sharing
from portward.backends.nft_words import ACCEPT, COUNTER, DROP, MASQUERADE, Chain, Parts, Rule, Words
from portward.backends.sides import Sides, inner

SENT = "sent_on"
_PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
"""Networks whose addresses mean nothing on the internet (RFC 1918)."""


def passed_on(around: Sides, sends: tuple[Rule, ...]) -> Parts:
    """Return the chain of the hook; sends: the rules for what inner networks may send, if any."""
    inside = around.inner or around.behind
    rules: list[Rule] = []
    if inside or around.routes or around.bridged:
        rules += windows_sharing(around, "iifname") if around.routes else ()
        rules += windows_sharing(around, "oifname") if around.routes else ()
        rules += [
            Rule((nft.ct_state("established", "related"), ACCEPT)),
            Rule((nft.ct_state("invalid"), COUNTER, DROP)),
        ]
        verdict = nft.goto(SENT) if sends else ACCEPT
        rules += [Rule((*by, verdict), "from inner networks") for by in _inside("iifname", around)]
        rules.append(Rule((nft.ct_status("dnat"), nft.goto(PUBLISHED))))
        rules += [
            Rule(
                (
                    nft.meta("iifname", nft.quoted(name)),
                    nft.meta("oifname", nft.quoted(name)),
                    ACCEPT,
                ),
                "between the ports of a bridge",
            )
            for name in around.bridged
        ]
    rules.append(Rule((nft.jump(refused.IN),)))
    chains = [Chain("forward", tuple(rules), "filter", "forward", 0, "drop")]
    if sends and inside:
        within = [Rule((*by, ACCEPT)) for by in _inside("oifname", around)]
        chains.insert(0, Chain(SENT, (*within, *sends, Rule((nft.goto(refused.IN),)))))
    return Parts(chains=(*chains, *_translation(around)))


def _inside(key: str, around: Sides) -> tuple[tuple[Words, ...], ...]:
    behind = tuple((nft.meta(key, nft.quoted(name)),) for name in around.behind)
    return (*inner(key, around), *behind)


def _translation(around: Sides) -> tuple[Chain, ...]:
    """Hide the inner IPv4 networks of a router behind its address on the internet."""
    if not around.routes or not around.outer:
        return ()
    by = nft.meta("oifname", nft.one_of(map(nft.quoted, around.outer)))
    private = nft.one_of(map(nft.prefix, _PRIVATE))
    rule = Rule((by, nft.payload("ip", "saddr", private), MASQUERADE), "NAT")
    return (Chain("postrouting", (rule,), "nat", "postrouting", 100, "accept"),)
