"""The JSON document of ``portward status``."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Struct

from portward.model.case import Case
from portward.model.policy import Policy, Profile
from portward.model.unknown import Unknown
from portward.report.views import UnknownFact, says
from portward.report.views import listener as listeners


class HostView(Struct, frozen=True, kw_only=True):
    """The machine that was surveyed."""

    hostname: Annotated[str, says("Its name.")]
    os: Annotated[str, says("Name and version of its operating system.")]
    kernel: Annotated[str | None, says("Release of its kernel; null for an image.")]
    root: Annotated[str, says('"/" for a running machine, else the directory of the image.')]


class PolicyView(Struct, frozen=True, kw_only=True):
    """What the machine is judged by."""

    roles: Annotated[tuple[str, ...], says("Names of its roles.")]
    profile: Annotated[Profile, says("The kind of place that it stands in.")]
    source: Annotated[str | None, says("Policy file; null where there is none.")]
    recognised: Annotated[bool, says("The roles are a guess from what runs.")]


class StatusView(Struct, frozen=True, kw_only=True):
    """Every open port of a machine."""

    schema: Annotated[Literal["portward-status/1"], says("Name and version of this document.")]
    portward: Annotated[str, says("Version of the portward that surveyed the machine.")]
    taken: Annotated[datetime, says("When it did.")]
    host: Annotated[HostView, says("The machine.")]
    policy: Annotated[PolicyView, says("What it is judged by.")]
    listeners: Annotated[
        tuple[listeners.ListenerView, ...] | UnknownFact, says("One for each open port.")
    ]
    gaps: Annotated[
        tuple[str, ...], says("What could not be seen, each a sentence with its reason.")
    ]


def view(case: Case) -> StatusView:
    """Write what is open."""
    snapshot = case.snapshot
    return StatusView(
        schema="portward-status/1",
        portward=snapshot.portward,
        taken=snapshot.taken,
        host=host_view(case),
        policy=policy_view(case.policy),
        listeners=UnknownFact(snapshot.listeners.reason)
        if isinstance(snapshot.listeners, Unknown)
        else tuple(listeners.view(one, snapshot.port_names) for one in case.exposures),
        gaps=snapshot.sight.gaps,
    )


def host_view(case: Case) -> HostView:
    """Write which machine it is."""
    machine = case.snapshot.machine
    return HostView(
        hostname=machine.hostname,
        os=machine.os_name,
        kernel=machine.kernel,
        root=case.snapshot.sight.root,
    )


def policy_view(policy: Policy) -> PolicyView:
    """Write what it is judged by."""
    return PolicyView(
        roles=tuple(role.name for role in policy.roles),
        profile=policy.profile,
        source=policy.source or None,
        recognised=policy.recognised,
    )
