"""Roles, profile and exceptions become one list of allowances, each with its origin; pure."""

from msgspec import Struct

from portward.knowledge.words import did_you_mean
from portward.model.errors import PolicyError
from portward.model.net import MAX_PORT, Ports, Protocol
from portward.model.policy import Allowance, Outgoing, Policy, Profile, Sources, Suppression
from portward.model.service import Audience, Catalogue, Need, Role, Service

PRIVATE = "private"
"""The network name that a policy may give a meaning of its own."""

EVERY_ROLE = "every role"
"""Origin of the allowances for housekeeping: they are for those services, not for their ports."""

MEANING = {
    Profile.SERVER: "the roles' needs as they are",
    Profile.HOME: "nobody from the internet: what a role has for anyone is for private networks",
    Profile.WORK: "as home, and private networks are only those named under [networks]",
    Profile.PUBLIC: "strangers all around: nothing from outside but what [[allow]] says",
    Profile.ISOLATED: "nothing from outside, whatever roles and [[allow]] say",
}
"""What each profile makes of the roles, in one clause."""

_WIDEST = {
    Profile.SERVER: Audience.ANYONE,
    Profile.HOME: Audience.PRIVATE,
    Profile.WORK: Audience.PRIVATE,
    Profile.PUBLIC: Audience.HOST,
    Profile.ISOLATED: Audience.HOST,
}
_LABELS = {Audience.ANYONE: "any"}
_CAPTURES = (Ports(Protocol.RAW, 0, 255), Ports(Protocol.PACKET, 0, MAX_PORT))


class Intent(Struct, frozen=True, kw_only=True):
    """What a person (or a guess) says that the machine should be, before it is worked out."""

    roles: tuple[str, ...]
    profile: Profile = Profile.SERVER
    networks: dict[str, tuple[str, ...]] = {}
    allow: tuple[Allowance, ...] = ()
    suppressions: tuple[Suppression, ...] = ()
    outgoing: tuple[Outgoing, ...] = ()
    automatic_updates: bool = False
    source: str = ""
    recognised: bool = False


def resolve(intent: Intent, catalogue: Catalogue) -> Policy:
    """Work out who may reach what; raise PolicyError for a role that there is not.

    The person's own allowances come first: where one names a service that a role needs too, it
    takes the place of the role's, unless it ends some day.
    """
    roles = tuple(find_role(name, catalogue) for name in intent.roles)
    notes: list[str] = []
    allow = intent.allow
    if intent.profile == Profile.ISOLATED and allow:
        allow = ()
        notes.append("profile isolated: the [[allow]] tables of the policy are not in force")
    if intent.profile == Profile.WORK and not intent.networks:
        notes.append("profile work: [networks] names none, so only this host may reach anything")
    decided = {
        allowance.service
        for allowance in allow
        if allowance.until is None and allowance.program is None
    }
    needed = [
        _of_need(need, role, intent, catalogue)
        for role in roles
        for need in role.needs
        if need.service not in decided and need.audience != Audience.NOBODY
    ]
    captured = [_of_capture(role) for role in roles if role.captures]
    own = [_of_essential(service) for service in catalogue.services.values() if service.essential]
    return Policy(
        roles=roles,
        profile=intent.profile,
        networks=intent.networks,
        allowances=(*allow, *needed, *captured, *own),
        suppressions=intent.suppressions,
        outgoing=intent.outgoing,
        automatic_updates=intent.automatic_updates,
        source=intent.source,
        recognised=intent.recognised,
        notes=tuple(notes),
    )


def find_role(name: str, catalogue: Catalogue) -> Role:
    """Return a role by its name; raise PolicyError with the nearest name otherwise."""
    if name not in catalogue.roles:
        raise PolicyError(f'there is no role "{name}"', mend=did_you_mean(name, catalogue.roles))
    return catalogue.roles[name]


def sources(audience: Audience, networks: dict[str, tuple[str, ...]]) -> Sources:
    """Return the sources that an audience stands for in a policy with these networks."""
    prefixes = networks.get(PRIVATE, ()) if audience == Audience.PRIVATE else ()
    return Sources(
        audience=audience, networks=prefixes, label=_LABELS.get(audience, audience.value)
    )


def _of_need(need: Need, role: Role, intent: Intent, catalogue: Catalogue) -> Allowance:
    return Allowance(
        service=need.service,
        ports=catalogue.services[need.service].ports,
        sources=_narrow(need.audience, intent),
        reason=need.reason,
        origin=f"role {role.name}",
        required=not need.optional,
    )


def _narrow(audience: Audience, intent: Intent) -> Sources:
    """Return whom a role's need means in the place where the machine stands."""
    order = list(Audience)
    audience = min(audience, _WIDEST[intent.profile], key=order.index)
    if intent.profile != Profile.WORK or audience != Audience.PRIVATE:
        return sources(audience, intent.networks)
    if not intent.networks:
        return sources(Audience.HOST, intent.networks)
    if PRIVATE in intent.networks:
        return sources(audience, intent.networks)
    prefixes = dict.fromkeys(prefix for named in intent.networks.values() for prefix in named)
    return Sources(
        audience=audience, networks=tuple(prefixes), label=", ".join(sorted(intent.networks))
    )


def _of_capture(role: Role) -> Allowance:
    return Allowance(
        service=None,
        ports=_CAPTURES,
        sources=Sources(audience=Audience.ANYONE, label="any"),
        reason="raw and packet sockets are its business",
        origin=f"role {role.name}",
    )


def _of_essential(service: Service) -> Allowance:
    """Allow a part of every machine's own housekeeping, whatever the role and the profile."""
    return Allowance(
        service=service.name,
        ports=service.ports,
        sources=sources(service.audience, {}),
        reason="part of every machine's own housekeeping",
        origin=EVERY_ROLE,
        required=True,
    )
