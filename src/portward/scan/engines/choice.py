"""Which engine asks: the best that privilege, kernel and device allow, and why no better one."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from portward.bpf.loader import UnavailableError
from portward.model.errors import UsageError
from portward.model.unknown import Unknown
from portward.scan import links, neighbours
from portward.scan.engines import Engine
from portward.scan.route import Route
from portward.scan.space import Block, Order
from portward.scan.targets import written

AUTO, BPF, RING, CONNECT = "auto", "bpf", "ring", "connect"
NAMES = (AUTO, BPF, RING, CONNECT)


class Chosen(NamedTuple):
    """How some hosts can be asked."""

    wanted: str
    hosts: Sequence[bytes]
    """Those that are there."""
    dead: Mapping[bytes, Unknown]
    """Those whose hardware address, or whose router's, nobody has."""
    own: bytes | None
    macs: Sequence[bytes]
    reason: str
    """Why no frame can be sent to them; empty: it can."""

    def open(self, block: Block, order: Order, route: Route) -> tuple[Engine, str, str]:
        """Return an engine for a block of the hosts, its name, and why it is no better one.

        Raises UsageError where the engine that was asked for cannot be had.
        """
        reason = self.reason
        if self.wanted in (AUTO, BPF):
            if self.own and not reason:
                from portward.scan.engines.bpf import BpfEngine  # noqa: PLC0415 - start-up

                try:
                    return BpfEngine(block, order, route, self.own, self.macs), BPF, ""
                except UnavailableError as error:
                    reason = str(error)
            self._refuse(BPF, reason)
        if self.wanted in (AUTO, RING):
            from portward.scan.engines.ring import RingEngine  # noqa: PLC0415 - start-up

            try:
                return RingEngine(block, order, route), RING, f"no BPF: {reason}" if reason else ""
            except PermissionError:
                reason = "needs root"
            self._refuse(RING, reason)
        from portward.scan.engines.connect import ConnectEngine  # noqa: PLC0415 - start-up

        why = f"no raw packets: {reason}" if self.wanted == AUTO else ""
        return ConnectEngine(block, order, route), CONNECT, why

    def _refuse(self, name: str, reason: str) -> None:
        if self.wanted == name:
            raise UsageError(f"--engine {name} cannot be used: {reason}", mend="leave it out")


def choose(wanted: str, routes: Sequence[Route], hosts: Sequence[bytes], local: bool) -> Chosen:  # noqa: FBT001 - a fact
    """Find out how hosts that one device leads to can be asked."""
    route = routes[0]
    if wanted == CONNECT:
        return Chosen(wanted, hosts, {}, None, (), "")
    if local:
        return Chosen(wanted, hosts, {}, None, (), "the host is this machine")
    own = links.hardware_address(route.device)
    if own is None:
        return Chosen(wanted, hosts, {}, None, (), f"{route.device} carries no Ethernet frames")
    hops = [one.gateway or host for one, host in zip(routes, hosts, strict=True)]
    try:
        found = neighbours.resolve(route, own, hops)
    except PermissionError:
        return Chosen(wanted, hosts, {}, None, (), "needs root")
    dead = {
        host: Unknown(
            "nobody answers for its address on the link"
            if one.gateway is None
            else f"its router {written(one.gateway)} does not answer"
        )
        for one, host, hop in zip(routes, hosts, hops, strict=True)
        if hop not in found
    }
    alive = [(host, hop) for host, hop in zip(hosts, hops, strict=True) if hop in found]
    return Chosen(
        wanted, [host for host, _ in alive], dead, own, [found[hop] for _, hop in alive], ""
    )
