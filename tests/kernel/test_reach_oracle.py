"""Reach against the kernel: random rulesets, injected packets, and kept cases."""

from pathlib import Path

import pytest

from kernel.cases_of_reach import CASES, replay
from kernel.differential import Differential
from kernel.oracle import Oracle
from own_network import in_own_network

pytestmark = pytest.mark.root
RULESETS = 600
BRIDGED = 150
UNDECIDED = 0.15
"""No larger share of packets may fare in several ways: limits, quotas and the like."""


def with_oracle(
    seeds: range, kept: list[Path], *, bridged: bool = False
) -> tuple[list[str], Differential]:
    def work() -> tuple[list[str], Differential]:
        oracle = Oracle(bridged=bridged)
        try:
            differential = Differential(oracle)
            wrong = [f"{path.name}: {one}" for path in kept for one in replay(path, differential)]
            for seed in seeds:
                found = differential.run(seed)
                if found:
                    wrong.append(f"seed {seed}: {differential.shrink(found[0])}")
        finally:
            oracle.close()
        return wrong, differential

    return in_own_network(work)


def test_the_kernel_does_with_every_packet_what_the_model_says() -> None:
    wrong, differential = with_oracle(range(1_000_000, 1_000_000 + RULESETS), [])
    tally = differential.tally
    assert not wrong, "\n\n".join(wrong[:3])
    assert tally.rulesets > RULESETS * 0.9
    assert set(tally.fates) == {"input", "forward", "reject", "drop"}
    assert tally.answers["left, and the model says: leaves"] > tally.trials // 200
    assert tally.answers["stopped, and the model says: may be stopped"]
    assert tally.undecided < tally.trials * UNDECIDED


def test_the_kernel_does_so_behind_a_bridge() -> None:
    wrong, differential = with_oracle(range(3_000_000, 3_000_000 + BRIDGED), [], bridged=True)
    tally = differential.tally
    assert not wrong, "\n\n".join(wrong[:3])
    assert tally.fates["input"] > tally.trials // 10
    assert tally.coverage.kinds["chain bridge input"] > BRIDGED // 2


def test_kept_cases_agree() -> None:
    kept = sorted(CASES.glob("*.json"))
    assert kept
    wrong, _ = with_oracle(range(0), kept)
    assert not wrong, "\n\n".join(wrong)
