"""What to change on a machine: an ordered list of changes, each made of steps that can be undone.

A step says what shall be, not how it was: whoever applies it first saves what is there, so that
its undo is exact whatever the plan's author knew.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from portward.model.net import Protocol
from portward.model.policy import Policy

SCHEMA_VERSION = 1
TABLE = "portward"
"""Name of the nft table that is portward's own; no other is ever written."""


class Noun(Struct, frozen=True, forbid_unknown_fields=True):
    """Base of everything a plan holds; a field nobody knows makes the file damaged."""


# --- steps -------------------------------------------------------------------------------------


class WriteFile(Noun, frozen=True, kw_only=True, tag="file", tag_field="do"):
    """A file with this text, replaced at once; its undo is byte by byte, with owner and mode."""

    path: str
    text: str | None
    """None: the file is removed."""
    mode: int = 0o644


class Enabling(StrEnum):
    """What starts a unit, in the words of systemctl(1)."""

    ENABLED = "enabled"
    DISABLED = "disabled"
    MASKED = "masked"


class UnitState(Noun, frozen=True, kw_only=True):
    """What a systemd unit of the system manager shall be."""

    unit: str
    active: bool | None = None
    """None: stays as it is."""
    enabling: Enabling | None = None
    """None: stays as it is."""


class SetUnits(Noun, frozen=True, kw_only=True, tag="units", tag_field="do"):
    """Units that belong together, such as a service and its socket, started or stopped at once.

    Together, because systemd starts no socket whose service runs already, or is masked.
    """

    units: tuple[UnitState, ...]


class ReloadUnit(Noun, frozen=True, kw_only=True, tag="reload", tag_field="do"):
    """A running service that reads its configuration again; the undo does so as well."""

    unit: str


class SetSysctl(Noun, frozen=True, kw_only=True, tag="sysctl", tag_field="do"):
    """The live value of a kernel setting; what a boot makes of it is a file."""

    key: str
    """In dots; a dot of an interface's own is written as "/"."""
    value: str


class LoadTable(Noun, frozen=True, kw_only=True, tag="table", tag_field="do"):
    """portward's own nft table, loaded in one transaction in place of the one before."""

    rules: str
    """Text of the table for ``nft -f``; "": there shall be no such table."""


class Remove(Noun, frozen=True, kw_only=True, tag="remove", tag_field="do"):
    """Packages that are removed; their configuration and data stay on the disk."""

    packages: tuple[str, ...]
    """With all that goes with them, as the package manager said when the plan was made."""


class Install(Noun, frozen=True, kw_only=True, tag="install", tag_field="do"):
    """Packages that are installed, without what they only recommend."""

    packages: tuple[str, ...]


class Manage(Noun, frozen=True, kw_only=True, tag="manage", tag_field="do"):
    """Another firewall tool that is told something by its own commands."""

    tool: str
    """"ufw" or "firewalld"."""
    commands: tuple[tuple[str, ...], ...]
    keeps: tuple[str, ...]
    """Files and folders in which the tool keeps all that these commands change."""
    back: tuple[tuple[str, ...], ...]
    """What makes the tool take its files again, once they are as before."""


class UfwRule(Noun, frozen=True, kw_only=True):
    """One rule as ufw takes it, for every family that its source has."""

    verb: str
    """"allow" or "deny"."""
    forward: bool = False
    """It is about what is passed on ("ufw route"), not about what comes in to the machine."""
    came_by: str = ""
    """Interface; "" for any."""
    leaves_by: str = ""
    protocol: str = ""
    """"tcp", "udp" or the name of one without ports; "" for any."""
    source: str = ""
    """Prefix, or an address alone; "" for anyone of either family."""
    ports: str = ""
    """"22" or "9000:9100"."""
    comment: str = ""


class SetUfw(Noun, frozen=True, kw_only=True, tag="ufw", tag_field="do"):
    """ufw, which stays in charge: it has these rules and denies all else that comes in.

    Its rules for what the machine sends stay as they are.
    """

    rules: tuple[UfwRule, ...]


class Zone(Noun, frozen=True, kw_only=True):
    """What a zone of firewalld lets in; its interfaces and sources stay as they are."""

    name: str
    ports: tuple[str, ...] = ()
    """For anyone: "80/tcp", "9000-9100/udp"."""
    protocols: tuple[str, ...] = ()
    """For anyone: numbers of IP protocols."""
    rules: tuple[str, ...] = ()
    """In firewalld's rich language (firewalld.richlanguage(5)), as it lists them itself."""


class SetFirewalld(Noun, frozen=True, kw_only=True, tag="firewalld", tag_field="do"):
    """firewalld, which stays in charge: these zones let in this and nothing else."""

    zones: tuple[Zone, ...]


Step: TypeAlias = (
    WriteFile
    | SetUnits
    | ReloadUnit
    | SetSysctl
    | LoadTable
    | Remove
    | Install
    | Manage
    | SetUfw
    | SetFirewalld
)


# --- changes -----------------------------------------------------------------------------------


class Risk(StrEnum):
    """The worst that a change does to somebody on its way."""

    NONE = "none"
    RESTARTS = "restarts a service"
    ENDS = "ends connections"
    REBOOT = "needs a reboot"


class Change(Noun, frozen=True, kw_only=True):
    """One thing that is put right, as a person thinks of it."""

    subject: str
    """Stays the same from run to run: "unit cups.service", "firewall"."""
    title: str
    why: str
    steps: tuple[Step, ...]
    """Files before what reads them. They are taken back in the same order, for the same reason;
    of several changes the last is taken back first."""
    risk: Risk = Risk.NONE


class Effect(Noun, frozen=True, kw_only=True):
    """What the plan changes for the world: who reaches a port now, and afterwards."""

    protocol: Protocol
    port: Annotated[int, Meta(ge=0, le=65535)]
    address: str
    service: str | None
    program: str
    before: str
    """In words: "everyone", "10.0.0.0/8", "nobody"."""
    after: str
    by: str
    """Why: "stopped", "firewall"."""


class Cut(Noun, frozen=True, kw_only=True):
    """Somebody who is connected now and would be cut off."""

    protocol: Protocol
    port: Annotated[int, Meta(ge=0, le=65535)]
    peer: str
    connections: int
    program: str


class WayIn(Noun, frozen=True, kw_only=True):
    """How the administrator comes in, and whether a new connection still would afterwards."""

    source: str
    """His address, or the network of ``--admin-from``."""
    destination: str
    """The machine's address that he came to; "" for any."""
    port: int
    interface: str
    """By which his packets come in; "" where that is not known."""
    answer: str
    """"yes", "no" or "perhaps", as reach has it for the planned ruleset."""
    decided_by: str
    """The rule that decides, in words."""


class Refusal(Noun, frozen=True, kw_only=True):
    """Why the plan must not be applied as it is."""

    what: str
    mend: str


class Plan(Noun, frozen=True, kw_only=True):
    """What would change on one machine; applied exactly as it is, or not at all."""

    schema: Annotated[int, Meta(ge=1)] = SCHEMA_VERSION
    portward: str
    made: datetime
    hostname: str
    policy: Policy
    """What it is made from, so that apply can make it again and see that nothing changed."""
    options: tuple[str, ...] = ()
    """How it was asked for, such as "remove"."""
    effects: tuple[Effect, ...]
    changes: tuple[Change, ...]
    cuts: tuple[Cut, ...] | None
    """None: who is connected is not known."""
    way_in: tuple[WayIn, ...]
    refusals: tuple[Refusal, ...]
    notes: tuple[str, ...]
    """What is not managed, and what stays open and why."""
