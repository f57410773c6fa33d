"""``make bench``: speed as ratios in one run, because machines are shared and noisy."""

from __future__ import annotations

import sys
from importlib import import_module

BENCHMARKS = ("startup", "waiting", "items", "pictures", "consistency", "strategies", "vendors")


def main() -> int:
    """Print the table; exit 1 when a goal is missed. Names on the command line choose benchmarks."""
    names = sys.argv[1:] or BENCHMARKS
    missed = 0
    print(f"{'benchmark':64} {'value':>9} {'goal':>10}")
    for name in names:
        for measure in import_module(f"benchmarks.{name}").benchmark():
            sign = "≤" if measure.better == "lower" else "≥"
            value, goal = f"{measure.value:.2f} {measure.unit}", f"{sign} {measure.goal:g} {measure.unit}"
            print(f"{measure.name:64} {value:>9} {goal:>10} {'' if measure.ok else '  missed'}", flush=True)
            missed += not measure.ok
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
