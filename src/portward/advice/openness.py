"""How wide a port is open, beside how wide it may be."""

from collections.abc import Iterable
from ipaddress import ip_network

from portward.model.net import Family
from portward.model.policy import Allowance
from portward.model.service import Audience
from portward.model.status import Exposure, Reach, Scope
from portward.policy.networks import PRIVATE_NETWORKS, beyond

EVERYWHERE = ("0.0.0.0/0", "::/0")

_NAMED = 4
"""So many networks stand in a title."""


def allowed_networks(allowance: Allowance) -> tuple[str, ...]:
    """Return the prefixes that an allowance means."""
    if allowance.sources.networks:
        return allowance.sources.networks
    return {
        Audience.ANYONE: EVERYWHERE,
        Audience.PRIVATE: PRIVATE_NETWORKS,
    }.get(allowance.sources.audience, ())


def reached_from(reach: Reach) -> tuple[str, ...]:
    """Return the prefixes that reach a port, without the interfaces that they come by."""
    if reach.scope == Scope.EVERYONE:
        families = {one.family for one in reach.entrances}
        return tuple(
            one
            for one in EVERYWHERE
            if not families or (Family.IPV6 if ":" in one else Family.IPV4) in families
        )
    return tuple(one.partition(" ")[0] for one in reach.networks)


def excess(exposure: Exposure) -> tuple[str, ...]:
    """Return the networks that reach a port although its allowance is not for them."""
    if exposure.allowance is None:
        return reached_from(exposure.reach)
    return beyond(reached_from(exposure.reach), allowed_networks(exposure.allowance))


def is_open(reach: Reach) -> bool:
    """Say whether everyone gets through, or nearly: all but some networks that are shut out."""
    if reach.scope != Scope.NETWORKS:
        return reach.scope == Scope.EVERYONE
    found = [ip_network(text) for text in reached_from(reach)]
    four = sum(one.num_addresses for one in found if one.version == 4)  # noqa: PLR2004 - IPv4
    globally = ip_network("2000::/3")  # all that IANA gives out of IPv6
    six = sum(one.num_addresses for one in found if one.version == 6 and one.overlaps(globally))  # noqa: PLR2004 - IPv6
    return four > 1 << 31 or six > globally.num_addresses // 2


def whom(reached: Iterable[Reach], networks: Iterable[str]) -> str:
    """Say in a few words who reaches ports: everyone, nearly everyone, or these networks."""
    known = list(reached)
    if any(one.scope == Scope.EVERYONE for one in known):
        return "everyone"
    if any(map(is_open, known)):
        return "nearly everyone"
    names = list(dict.fromkeys(networks))
    more = f" and {len(names) - _NAMED} more networks" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
