"""Which interfaces are alike: packets that come in by them fare the same."""

from collections.abc import Iterable, Mapping

from portward.reach.cuts import steps
from portward.reach.path import Paths
from portward.reach.ruleset import Names, Translate, Values


def alike_devices(paths: Paths, asked: Mapping[str, Iterable[Values]]) -> list[tuple[str, ...]]:
    """Group the devices by which packets fare alike, given what rules ask for of each field."""
    ruleset, host = paths.ruleset, paths.machine
    names = {values for values in asked.get("iifname", ()) if isinstance(values, Names)}
    bases = [chain.base for table in ruleset.tables for chain in table.chains if chain.base]
    bound = {device for base in bases for device in base.devices}
    # What a fib lookup says of an interface, and a redirection to its own address, differ.
    differs = any("iif" in field for field in asked if field.startswith("fib ")) or any(
        isinstance(step, Translate) and step.kind == "redirect" for _, step in steps(ruleset)
    )
    bridged = any(table.family == "bridge" for table in ruleset.tables)
    # A bridge where rules ask its ports stands alone.
    bridges = {name for name, ports in host.ports.items() if bridged or bound & {*ports}}
    groups: dict[object, list[str]] = {}
    for device in host.devices:
        key = (
            tuple(one.has(device) for one in names),
            device in host.localnet,
            paths.martians(device),
            device if differs or device in bound or device in bridges else "",
        )
        groups.setdefault(key, []).append(device)
    return [tuple(group) for group in groups.values()]
