"""``./dev bench [NAME...]``: every benchmark, or the named ones; each is a module beside this."""

import sys
from importlib import import_module
from pathlib import Path


def main() -> int:
    """Run the benchmarks and return the exit status."""
    known = sorted(file.stem for file in Path(__file__).parent.glob("[!_]*.py"))
    wanted = sys.argv[1:] or known
    for name in wanted:
        if name not in known:
            print(f'no benchmark "{name}"; there are: {", ".join(known)}', file=sys.stderr)
            return 2
    for name in wanted:
        import_module(name).main()
    return 0


if __name__ == "__main__":
    sys.exit(main())
