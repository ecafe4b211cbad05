"""A machine for tests of whole answers: some interfaces, one address on each."""

import json

from portward.reach import offline
from portward.reach.ruleset import Ruleset
from portward.reach.site import Site


def site(ruleset: Ruleset, rp_filter: str = "strict") -> Site:
    """Return the machine with a ruleset; rp_filter is that of eth1."""
    parts = {
        "interfaces": [
            {"name": "eth0", "addresses": ["10.0.0.1/8"]},
            {"name": "eth1", "addresses": ["192.0.2.1/24"], "rp_filter": rp_filter},
            {"name": "docker0", "addresses": ["172.17.0.1/16"]},
        ],
        "routes": [{"to": "default", "interface": "eth0"}],
        "forwarding": {"ipv4": True},
    }
    return Site(ruleset, offline.host(json.dumps(parts).encode(), "tests"))
