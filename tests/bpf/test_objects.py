import shutil
from pathlib import Path

import pytest
from scripts.bpf import FOLDER, compile_bpf

SOURCES = sorted(FOLDER.glob("*.bpf.c"))


@pytest.mark.skipif(not shutil.which("clang"), reason="needs clang")
@pytest.mark.skipif(not shutil.which("llvm-strip"), reason="needs llvm-strip")
@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_the_committed_object_is_what_its_source_compiles_to(source: Path, tmp_path: Path) -> None:
    copy = tmp_path / source.name
    copy.write_bytes(source.read_bytes())
    compile_bpf(copy, tmp_path / "made.o")
    assert (tmp_path / "made.o").read_bytes() == source.with_suffix(".o").read_bytes()


def test_every_source_has_its_object_and_every_object_its_source() -> None:
    assert SOURCES
    assert [source.with_suffix(".o") for source in SOURCES] == sorted(FOLDER.glob("*.o"))
