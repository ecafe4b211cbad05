"""A machine for tests of whole answers: two interfaces, one address on each."""

import json

from portward.reach import offline
from portward.reach.ruleset import Ruleset
from portward.reach.site import Site

SNAPSHOT = offline.host(
    json.dumps(
        {
            "interfaces": [
                {"name": "eth0", "addresses": ["10.0.0.1/8"]},
                {"name": "eth1", "addresses": ["192.0.2.1/24"], "rp_filter": "strict"},
                {"name": "docker0", "addresses": ["172.17.0.1/16"]},
            ],
            "routes": [{"to": "default", "interface": "eth0"}],
            "forwarding": {"ipv4": True},
        }
    ).encode(),
    "tests",
)


def site(ruleset: Ruleset) -> Site:
    """Return the machine with a ruleset."""
    return Site(ruleset, SNAPSHOT)
