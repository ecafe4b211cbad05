"""Compile the BPF programs again: ``./dev bpf``.

The objects are the same bytes wherever the same clang makes them: no path enters, and debug
sections other than BTF are stripped. Needs Debian 12's clang, llvm and libbpf-dev.
"""

import subprocess
import sys
from pathlib import Path

CLANG = 14
FOLDER = Path(__file__).resolve().parent.parent / "src/portward/bpf"


def compile_bpf(source: Path, target: Path) -> None:
    """Compile one source; raise CalledProcessError with what clang said."""
    flags = ["-target", "bpfel", "-O2", "-g", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(  # noqa: S603 - a fixed command
        ["clang", *flags, "-fdebug-compilation-dir=.", "-c", source.name, "-o", str(target)],  # noqa: S607 - found by PATH
        cwd=source.parent,
        check=True,
    )
    subprocess.run(["llvm-strip", "-g", str(target)], check=True)  # noqa: S603, S607 - the same


def main() -> None:
    """Compile every program of the folder beside its source."""
    version = subprocess.run(["clang", "--version"], capture_output=True, text=True, check=True)  # noqa: S607 - found by PATH
    if f"version {CLANG}." not in version.stdout:
        sys.exit(f"bpf: clang {CLANG} is needed, so that the objects can be compared")
    for source in sorted(FOLDER.glob("*.bpf.c")):
        compile_bpf(source, source.with_suffix(".o"))
        sys.stdout.write(f"{source.with_suffix('.o').name}\n")


if __name__ == "__main__":
    main()
