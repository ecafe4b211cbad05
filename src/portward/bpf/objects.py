"""Loads a compiled object whose programs and maps stay for as long as it is held.

Nothing is pinned: programs and maps go when their descriptors do, also those of a process that
was killed.

Interfaces: include/uapi/linux/bpf.h; libbpf's libbpf.h and bpf.h, version 1.0 or newer.
"""

import ctypes
import mmap
from collections.abc import Mapping
from pathlib import Path

from portward.bpf.loader import UnavailableError, checked, libbpf

_ANY = 0  # BPF_ANY
_BPF_TCX_INGRESS = 46


class _TestRun(ctypes.Structure):
    """What libbpf's bpf_prog_test_run_opts() takes."""

    _fields_ = (
        ("sz", ctypes.c_size_t),
        ("data_in", ctypes.c_char_p),
        ("data_out", ctypes.c_void_p),
        ("data_size_in", ctypes.c_uint32),
        ("data_size_out", ctypes.c_uint32),
        ("ctx_in", ctypes.c_void_p),
        ("ctx_out", ctypes.c_void_p),
        ("ctx_size_in", ctypes.c_uint32),
        ("ctx_size_out", ctypes.c_uint32),
        ("retval", ctypes.c_uint32),
        ("repeat", ctypes.c_int),
        ("duration", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("cpu", ctypes.c_uint32),
        ("batch_size", ctypes.c_uint32),
    )


class Programs:
    """The programs of ``STEM.bpf.o`` and their maps."""

    def __init__(self, stem: str, entries: Mapping[str, int]) -> None:
        """Load them, with maps of so many entries by name.

        Raises:
            UnavailableError: no privilege, no libbpf, or a kernel that refuses.

        """
        self._library = _prepared()
        code = Path(__file__).with_name(f"{stem}.bpf.o").read_bytes()
        handle = self._library.bpf_object__open_mem(code, ctypes.c_size_t(len(code)), None)
        if not handle:
            checked(-ctypes.get_errno() or -1)
        self._object = ctypes.c_void_p(handle)
        try:
            for name, count in entries.items():
                found = self._library.bpf_object__find_map_by_name(self._object, name.encode())
                checked(self._library.bpf_map__set_max_entries(ctypes.c_void_p(found), count))
            checked(self._library.bpf_object__load(self._object))
        except UnavailableError:
            self.close()
            raise

    def close(self) -> None:
        """Unload them; memory of their maps stays for as long as it is mapped."""
        if self._object.value:
            self._library.bpf_object__close(self._object)
            self._object = ctypes.c_void_p(None)

    def program(self, name: str) -> int:
        """Return the descriptor of a program."""
        found = self._library.bpf_object__find_program_by_name(self._object, name.encode())
        return checked(self._library.bpf_program__fd(ctypes.c_void_p(found)))

    def memory(self, name: str, size: int) -> mmap.mmap:
        """Map the values of an array that has BPF_F_MMAPABLE."""
        whole = -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
        return mmap.mmap(self._map(name), whole)

    def write(self, name: str, key: bytes, value: bytes) -> None:
        """Put an element into a map."""
        checked(
            self._library.bpf_map_update_elem(self._map(name), key, value, ctypes.c_uint64(_ANY))
        )

    def attach(self, program: int, ifindex: int) -> int:
        """Let a program see what a device receives, by TCX; return the link that keeps it there."""
        return checked(self._library.bpf_link_create(program, ifindex, _BPF_TCX_INGRESS, None))

    def run(self, program: int, frame: bytes, repeat: int) -> None:
        """Run a program on a frame, so many times (BPF_PROG_TEST_RUN); raise UnavailableError."""
        run = _TestRun(ctypes.sizeof(_TestRun), frame, None, len(frame), repeat=repeat)
        checked(self._library.bpf_prog_test_run_opts(program, ctypes.byref(run)))

    def _map(self, name: str) -> int:
        return checked(self._library.bpf_object__find_map_fd_by_name(self._object, name.encode()))


def _prepared() -> ctypes.CDLL:
    """Declare what returns pointers."""
    library = libbpf()
    for name in ("bpf_object__find_map_by_name", "bpf_object__find_program_by_name"):
        getattr(library, name).restype = ctypes.c_void_p
    return library
