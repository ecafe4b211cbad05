"""Compare reach with the kernel for a while: ./dev fuzz reach [--minutes N] [--seed N] [--bridge].

It needs root. It prints how many packets were compared, how many rulesets the kernel took, what
each kind of expression was in, how many packets may fare in several ways and why, and every
disagreement, shrunk. A disagreement is kept below tests/kernel/cases/reach, where the tests play
it again.
"""

# ruff: noqa: T201 - printing is its purpose
import argparse
import sys
import time

from kernel.cases_of_reach import save
from kernel.differential import Differential
from kernel.oracle import Oracle
from own_network import in_own_network

MAX_KEPT = 10
REPORT_SECONDS = 60


def main() -> int:
    """Run until the time is over; 1 if the kernel disagreed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bridge", action="store_true", help="behind a bridge, with its tables")
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--seed", type=int, default=time.time_ns() // 1_000_000_000 * 1_000_000)
    options = parser.parse_args()
    end = time.monotonic() + 60 * options.minutes
    return in_own_network(lambda: _fuzz(options.seed, end, bridged=options.bridge))


def _fuzz(seed: int, end: float, *, bridged: bool) -> int:
    oracle = Oracle(bridged=bridged)
    differential = Differential(oracle)
    wrong = kept = 0
    told = time.monotonic()
    try:
        while time.monotonic() < end and kept < MAX_KEPT:
            found = differential.run(seed)
            if found:
                wrong += len(found)
                kept += 1
                small = differential.shrink(found[0])
                kept_as = "" if bridged else save(small, f"seed-{seed}")
                print(f"seed {seed}:\n{small}\n{kept_as}", flush=True)
            seed += 1
            if time.monotonic() - told > REPORT_SECONDS:
                told = time.monotonic()
                print(f"{differential.tally.trials} trials, {wrong} disagreements", flush=True)
    finally:
        oracle.close()
    _report(differential, wrong)
    return 1 if wrong else 0


def _report(differential: Differential, wrong: int) -> None:
    tally = differential.tally
    print(f"trials         {tally.trials}")
    print(f"rulesets       {tally.rulesets}, not taken by the kernel: {tally.refused}")
    print(f"rules not taken {tally.cut}")
    print(f"disagreements  {wrong}")
    share = 100 * tally.undecided / max(1, tally.trials)
    print(f"several fates  {tally.undecided} ({share:.1f} %)")
    for title, counts in (
        ("fates by the kernel", tally.fates),
        ("answers", tally.answers),
        ("why several", tally.doubts),
        ("rules by kind of expression", tally.coverage.kinds),
    ):
        print(f"{title}:")
        for name, count in sorted(counts.items(), key=lambda item: -item[1]):
            print(f"  {count:>10}  {name}")


if __name__ == "__main__":
    sys.exit(main())
