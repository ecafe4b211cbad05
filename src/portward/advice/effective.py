"""Kernel settings of the network as they count: "all" and an interface's own joined.

Which of the two counts differs from key to key (ip-sysctl.rst of the kernel's documentation, and
the macros IN_DEV_ANDCONF, IN_DEV_ORCONF and IN_DEV_MAXCONF of include/linux/inetdevice.h).
"""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from portward.model.finding import Evidence
from portward.model.host import Sysctl
from portward.model.unknown import Maybe, Unknown

Combine = Callable[[int, int, int], int]
"""Of "all", the interface's own value and whether it forwards: what counts."""


def either(everywhere: int, own: int, _forwards: int) -> int:
    """Take 1 where one of the two is set."""
    return int(bool(everywhere or own))


def both(everywhere: int, own: int, _forwards: int) -> int:
    """Take 1 where both are set."""
    return int(bool(everywhere > 0 and own > 0))


def larger(everywhere: int, own: int, _forwards: int) -> int:
    """Take the larger of the two."""
    return max(everywhere, own)


def own_value(_everywhere: int, own: int, _forwards: int) -> int:
    """Take the interface's own."""
    return own


def redirects(everywhere: int, own: int, forwards: int) -> int:
    """Join as for redirects: a router needs both to accept them, a host either."""
    return (both if forwards else either)(everywhere, own, forwards)


def redirects_ipv6(_everywhere: int, own: int, forwards: int) -> int:
    """Take the interface alone; an IPv6 router ignores redirects (RFC 4861, 8.1)."""
    return 0 if forwards else own


class Setting(NamedTuple):
    """One key, or one for every interface where it has a ``*``."""

    key: str
    wanted: int
    default: int
    """What the kernel starts with (net/ipv4/devinet.c, net/ipv6/addrconf.c)."""
    combine: Combine = own_value
    accepted: tuple[int, ...] = ()
    """Other values that are as good."""
    default_all: int | None = None
    """The same for "all" where it differs."""


class Fault(NamedTuple):
    """A setting that is wrong on an interface."""

    key: str
    wanted: int
    evidence: Evidence


Moment = Callable[[Sysctl], Maybe[str | None]]


def live(setting: Sysctl) -> Maybe[str | None]:
    """Say what it is now."""
    return setting.live


def boot(setting: Sysctl) -> Maybe[str | None]:
    """Say what a boot leaves; a key that this kernel lacks stays None."""
    return setting.boot


def faults(
    setting: Setting, known: Mapping[str, Sysctl], interfaces: list[str], moment: Moment
) -> Iterator[Fault]:
    """Yield what is wrong at a moment: on each interface, or for the machine."""
    good = {setting.wanted, *setting.accepted}
    if "*" not in setting.key:
        value = _value(setting.key, setting.default, known, moment)
        if value is not None and value not in good:
            yield Fault(setting.key, setting.wanted, _evidence(setting.key, known, moment, value))
        return
    start = setting.default if setting.default_all is None else setting.default_all
    everywhere = _value(_at(setting.key, "all"), start, known, moment)
    template = _value(_at(setting.key, "default"), setting.default, known, moment)
    if everywhere is None or template is None:
        return
    for interface in interfaces:
        key = _at(setting.key, interface)
        own = _value(key, template if moment is boot else setting.default, known, moment)
        if own is None:
            continue
        forwards = _value(_at(_forwarding(key), interface), 0, known, moment) or 0
        value = setting.combine(everywhere, own, forwards)
        if value not in good:
            yield Fault(key, setting.wanted, _evidence(key, known, moment, value))


def _at(key: str, interface: str) -> str:
    return key.replace("*", interface)


def _forwarding(key: str) -> str:
    return f"{key.partition('.conf.')[0]}.conf.*.forwarding"


def _value(key: str, default: int, known: Mapping[str, Sysctl], moment: Moment) -> int | None:
    """Return a setting's number at a moment; None where it is not known or does not exist."""
    setting = known.get(key)
    if setting is None or setting.live is None:
        return None  # not surveyed, or this kernel has no such key
    text = moment(setting)
    if isinstance(text, Unknown):
        return None
    if text is None:
        return default
    try:
        return int(text)
    except ValueError:
        return None


def _evidence(key: str, known: Mapping[str, Sysctl], moment: Moment, value: int) -> Evidence:
    setting = known[key]
    if moment is live:
        path = "/proc/sys/" + key.replace(".", "\0").replace("/", ".").replace("\0", "/")
        own = setting.live if isinstance(setting.live, str) else "unknown"
        counts = f', with "all" it counts as {value}' if own != str(value) else ""
        return Evidence(f"{key} is {own}{counts}", path)
    if setting.boot_source:
        return Evidence(f"{key} will be {value}", setting.boot_source)
    return Evidence(f"{key} will be {value}, the kernel's default: no file sets it")
