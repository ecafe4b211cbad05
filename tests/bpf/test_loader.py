import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

from portward import cache
from portward.bpf import loader

# What a process without privilege is told, and what libbpf prints meanwhile.
NOBODY = """
import os
from portward import cache
from portward.bpf import loader
cache.directory = lambda: None
os.setgroups([])
os.setresuid(65534, 65534, 65534)
try:
    loader.records("owners", "holders")
except loader.UnavailableError as error:
    print(error)
"""


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cache, "directory", lambda: tmp_path)
    loader._programs.cache_clear()
    loader.libbpf.cache_clear()


@pytest.mark.root
@pytest.mark.parametrize("program", ["holders", "tenants"])
def test_every_program_passes_the_verifier_fresh_and_from_the_cache(
    program: str, tmp_path: Path
) -> None:
    loader.records("owners", program)
    kept = (tmp_path / "owners").read_bytes()
    loader._programs.cache_clear()
    loader.records("owners", program)
    assert (tmp_path / "owners").read_bytes() == kept


@pytest.mark.root
def test_instructions_of_another_kernel_are_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    loader.records("owners", "holders")
    kept = (tmp_path / "owners").read_bytes()
    loader._programs.cache_clear()
    monkeypatch.setattr(loader, "_kernel", lambda: "another")
    loader.records("owners", "holders")
    assert (tmp_path / "owners").read_bytes() != kept


@pytest.mark.root
def test_without_privilege_the_reason_is_one_clause_and_nothing_else_is_printed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", NOBODY],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert (done.stdout, done.stderr) == ("needs root\n", "")


def test_without_libbpf_the_reason_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "_LIBRARY", "libbpf.so.none")
    with pytest.raises(loader.UnavailableError, match=r"no libbpf\.so\.none"):
        loader.records("owners", "holders")


def test_without_btf_the_reason_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(loader, "_BTF", tmp_path / "none")
    try:
        ctypes.CDLL("libbpf.so.1")
    except OSError:
        pytest.skip("needs libbpf.so.1")
    with pytest.raises(loader.UnavailableError, match="no BTF"):
        loader.records("owners", "holders")


@pytest.mark.root
def test_an_object_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "broken.bpf.o").write_bytes(b"no object")
    monkeypatch.setattr(loader, "__file__", str(tmp_path / "loader.py"))
    with pytest.raises(loader.UnavailableError, match="refuses"):
        loader.records("broken", "holders")
