"""Cases kept from disagreements: a ruleset, a machine and one packet, as JSON."""

import json
from pathlib import Path

from kernel.differential import Differential, Disagreement, Trial
from kernel.oracle import World
from kernel.probes import Group
from kernel.rulesets import text

CASES = Path(__file__).with_name("cases") / "reach"


def save(found: Disagreement, name: str) -> Path:
    """Keep a disagreement."""
    (group,) = found.trial.groups
    path = CASES / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    body = {
        "ruleset": text(found.trial.tables).splitlines(),
        "world": found.trial.world._asdict(),
        "packet": group._asdict(),
    }
    path.write_text(json.dumps(body, indent=2) + "\n", encoding="utf-8")
    return path


def replay(path: Path, differential: Differential) -> list[Disagreement]:
    """Compare a kept case again."""
    body = json.loads(path.read_text(encoding="utf-8"))
    group = Group(**{**body["packet"], "sources": tuple(body["packet"]["sources"])})
    trial = Trial((), World(**body["world"]), [group])
    return differential.compare_text("\n".join(body["ruleset"]) + "\n", trial, None)
