"""Write a policy file with comments, for ``portward init``; pure."""

from collections.abc import Iterable, Iterator

from portward.knowledge.recognise import recognise
from portward.model.errors import PolicyError
from portward.model.host import HOST, Snapshot
from portward.model.net import Ports, is_loopback
from portward.model.policy import Profile
from portward.model.service import Audience, Catalogue, Role
from portward.model.unknown import Unknown
from portward.model.words import printable
from portward.policy.networks import prefix
from portward.policy.resolve import MEANING, find_role

_WHO = {
    Audience.NOBODY: "nobody",
    Audience.HOST: "this host only",
    Audience.PRIVATE: "private networks",
    Audience.ANYONE: "anyone",
}
_SSH = "ssh"
_HEAD = """\
# What this machine is for. Everything that is not named here may not be open.
# Check it with "portward audit"; docs/policy.md describes every key.

"""
_NETWORKS = """
# Names for networks, to be used in "from". One of them may be called "private": then it says which
# networks the roles mean by it, instead of all private addresses.
[networks]
"""
_EXCEPTIONS = """
# Anything else that may be open, for example:
# [[allow]]
# port = "8080/tcp"                  # or service = "NAME", or both: that service on that port
# program = "/usr/bin/gunicorn"      # only this program may hold it
# from = "any"                       # "any", "private", "host", a name or a list of networks
# reason = "staging API"
# until = 2026-12-31                 # the last day

# What may be sent; with the first such table everything else is refused, names (dns) as well:
# [[outgoing]]
# service = "https"                  # or port = "443/tcp"
# to = "any"                         # "any", "private", a name or a list of networks
# reason = "packages"

# A finding that may stay for a while:
# [[suppress]]
# finding = "PW-1f2e3d4c"            # or the id of a check
# reason = "replaced next month"
# until = 2026-12-31
"""


def render(
    roles: Iterable[str],
    catalogue: Catalogue,
    *,
    profile: Profile = Profile.SERVER,
    admin: Iterable[str] = (),
    snapshot: Snapshot | None = None,
) -> str:
    """Return a policy file for roles, which parse() reads.

    admin are the networks that may use SSH; without them the file shows how to name them. A
    snapshot tells on which ports SSH really listens. Raise PolicyError for a role or a network
    that there is not.
    """
    chosen = [find_role(name, catalogue) for name in dict.fromkeys(roles)]
    if not chosen:
        raise PolicyError("a policy needs a role", mend='a machine for nothing is "isolated"')
    prefixes = list(dict.fromkeys(prefix(text) for text in admin))
    needs = "\n".join(line for role in chosen for line in _needs(role, catalogue))
    return "".join(
        [
            _HEAD,
            f"roles = {_list(role.name for role in chosen)}\n{needs}\n\n",
            *(f"# {name}: {meaning}\n" for name, meaning in MEANING.items()),
            f'profile = "{profile}"\n',
            _NETWORKS,
            f"admin = {_list(prefixes)}\n" if prefixes else '# admin = ["203.0.113.0/24"]\n',
            *_ssh(chosen, prefixes, _ssh_ports(snapshot, catalogue)),
            _EXCEPTIONS,
        ]
    )


def _needs(role: Role, catalogue: Catalogue) -> Iterator[str]:
    """Yield comment lines that list what a role needs and from whom."""
    yield f"#\n# {role.name}: {printable(role.summary)}"
    if not role.needs:
        yield "#   It needs no open port."
    for need in role.needs:
        ports = ", ".join(map(str, catalogue.services[need.service].ports))
        may = "may be open" if need.optional else "is needed"
        reason = printable(need.reason)
        yield f"#   {need.service} ({ports}) {may} for {_WHO[need.audience]}: {reason}"


def _ssh_ports(snapshot: Snapshot | None, catalogue: Catalogue) -> list[Ports]:
    """Return where SSH listens for other machines, if that is not just its usual port."""
    if snapshot is None or isinstance(snapshot.listeners, Unknown):
        return []
    found = set()
    unusual = False
    for listener in snapshot.listeners:
        if listener.namespace != HOST or is_loopback(listener.address):
            continue
        recognition = recognise(listener, catalogue)
        if recognition and recognition.service.name == _SSH:
            found.add(Ports(listener.protocol, listener.port, listener.port))
            unusual = unusual or not recognition.usual_port
    return sorted(found) if unusual else []


def _ssh(roles: list[Role], admin: list[str], ports: list[Ports]) -> Iterator[str]:
    """Yield the [[allow]] tables for administration, as comments where a person must choose."""
    by_role = any(need.service == _SSH for role in roles for need in role.needs)
    if admin:
        yield "\n# SSH for administration.\n"
    elif by_role:
        yield "\n# SSH for administration: the roles let private networks in. For others, or\n"
        yield '# fewer, say here whom; "any" lets the whole internet try passwords and keys.\n'
    else:
        yield "\n# SSH for administration: no role needs it. To allow it, say here for whom.\n"
    if ports and (admin or by_role):
        yield "# It does not listen on its usual port here, so the port must be named.\n"
    active = bool(admin or (by_role and ports))
    mark = "" if active else "# "
    for line in [f'port = "{port}"\n' for port in ports] or [""]:
        yield f'{mark}[[allow]]\n{mark}service = "{_SSH}"\n'
        yield f"{mark}{line}" if line else ""
        yield f'{mark}from = "{"admin" if admin or not active else "private"}"\n'
        yield f'{mark}reason = "administration"\n'


def _list(words: Iterable[str]) -> str:
    """Write names and prefixes, which need no escaping, as a TOML array."""
    quoted = ", ".join(f'"{word}"' for word in words)
    return f"[{quoted}]"
