import shutil
import subprocess
from pathlib import Path

import pytest
from scripts.bpf import CLANG, FOLDER, compile_bpf

SOURCES = sorted(FOLDER.glob("*.bpf.c"))


def missing() -> str:
    """Name what the objects are made with and this machine lacks; another clang writes others."""
    for tool in ("clang", "llvm-strip"):
        if not shutil.which(tool):
            return tool
    if not Path("/usr/include/bpf/bpf_helpers.h").exists():
        return "libbpf-dev"
    version = subprocess.run(["clang", "--version"], capture_output=True, text=True, check=True)
    return "" if f"version {CLANG}." in version.stdout else f"clang {CLANG}"


@pytest.mark.skipif(missing() != "", reason=f"needs {missing()}")
@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_the_committed_object_is_what_its_source_compiles_to(source: Path, tmp_path: Path) -> None:
    copy = tmp_path / source.name
    copy.write_bytes(source.read_bytes())
    compile_bpf(copy, tmp_path / "made.o")
    assert (tmp_path / "made.o").read_bytes() == source.with_suffix(".o").read_bytes()


def test_every_source_has_its_object_and_every_object_its_source() -> None:
    assert SOURCES
    assert [source.with_suffix(".o") for source in SOURCES] == sorted(FOLDER.glob("*.o"))
