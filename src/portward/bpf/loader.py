"""Runs the compiled iterator programs of this folder and returns what they write.

libbpf fits a program to the running kernel (CO-RE), for which it reads the whole of the kernel's
BTF. That takes longer than everything else together, so the fitted instructions are kept for as
long as the kernel and the object stay the same. The kernel verifies them on every load.

Constants: include/uapi/linux/bpf.h. Interfaces: libbpf's libbpf.h and bpf.h, version 1.0 or newer.
"""

import ctypes
import errno
import os
import struct
import zlib
from functools import cache
from pathlib import Path

from portward import cache as disk

_LIBRARY = "libbpf.so.1"
_LICENSE = b"Dual BSD/GPL"
_BPF_PROG_TYPE_TRACING = 26
_BPF_TRACE_ITER = 28
_INSTRUCTION_BYTES = 8
# struct bpf_prog_load_opts up to attach_btf_id: its own size, attempts, expected_attach_type,
# prog_btf_fd, prog_flags, prog_ifindex, kern_version, attach_btf_id
_LOAD_OPTIONS = struct.Struct("@NiIIIIII")

_BTF = Path("/sys/kernel/btf/vmlinux")
_NOTES = Path("/sys/kernel/notes")  # holds the build id of the kernel

_READS = 1 << 16  # each returns up to 32 KiB, or EAGAIN after a million things of no interest
_READ_BYTES = 1 << 16

Programs = dict[str, tuple[int, bytes]]
"""Name -> BTF id of the iterator's target in the kernel, and the fitted instructions."""


class UnavailableError(Exception):
    """BPF cannot be used here; the text says why and ends a sentence."""


def records(stem: str, program: str) -> bytes:
    """Run one iterator of ``STEM.bpf.o`` from start to end and return all that it wrote.

    Raises:
        UnavailableError: no privilege, no libbpf, no BTF, or a kernel that refuses.

    """
    library = libbpf()
    target, instructions = _programs(stem)[program]
    options = _LOAD_OPTIONS.pack(_LOAD_OPTIONS.size, 0, _BPF_TRACE_ITER, 0, 0, 0, 0, target)
    opened = []
    try:
        loaded = library.bpf_prog_load(
            _BPF_PROG_TYPE_TRACING,
            program.encode(),
            _LICENSE,
            instructions,
            ctypes.c_size_t(len(instructions) // _INSTRUCTION_BYTES),
            options,
        )
        opened.append(checked(loaded))
        opened.append(checked(library.bpf_link_create(loaded, 0, _BPF_TRACE_ITER, None)))
        opened.append(checked(library.bpf_iter_create(opened[-1])))
        return _read(opened[-1])
    finally:
        for descriptor in opened:
            os.close(descriptor)


def _read(descriptor: int) -> bytes:
    """Read an iterator to its end."""
    parts: list[bytes] = []
    for _ in range(_READS):
        try:
            part = os.read(descriptor, _READ_BYTES)
        except BlockingIOError:
            continue
        except OSError as error:
            raise UnavailableError(_reason(error.errno or errno.EIO)) from error
        if not part:
            return b"".join(parts)
        parts.append(part)
    raise UnavailableError("its answer never ends")


@cache
def libbpf() -> ctypes.CDLL:
    """Open libbpf and silence what it would print to the terminal."""
    try:
        library = ctypes.CDLL(_LIBRARY, use_errno=True)
    except OSError as error:
        raise UnavailableError(f"there is no {_LIBRARY} on this machine") from error
    for name in ("bpf_object__open_mem", "bpf_object__next_program", "bpf_program__insns"):
        getattr(library, name).restype = ctypes.c_void_p
    for name in ("bpf_program__name", "bpf_program__section_name"):
        getattr(library, name).restype = ctypes.c_char_p
    library.bpf_program__insn_cnt.restype = ctypes.c_size_t
    library.libbpf_set_print.restype = ctypes.c_void_p
    library.libbpf_set_print(None)
    return library


@cache
def _programs(stem: str) -> Programs:
    """Return the programs of an object, fitted to the running kernel."""
    code = Path(__file__).with_name(f"{stem}.bpf.o").read_bytes()
    key = _kernel()
    if key is None:
        raise UnavailableError("this kernel has no BTF")
    key = f"{key} {zlib.crc32(code):08x}"
    programs = disk.load(stem, key, Programs)
    if programs is None:
        programs = _fit(code)
        disk.save(stem, key, programs)
    return programs


def _kernel() -> str | None:
    """Return a line that is another for every kernel build; None without BTF."""
    system = os.uname()
    try:
        size = _BTF.stat().st_size
    except OSError:
        return None
    try:
        notes = _NOTES.read_bytes().hex()
    except OSError:
        notes = ""
    return f"{system.release} {system.version} {system.machine} {size} {notes}"


def _fit(code: bytes) -> Programs:
    """Let libbpf fit an object to the running kernel and have the kernel verify it once."""
    library = libbpf()
    handle = library.bpf_object__open_mem(code, ctypes.c_size_t(len(code)), None)
    if not handle:
        raise UnavailableError(_reason(ctypes.get_errno()))
    bpf_object = ctypes.c_void_p(handle)
    try:
        checked(library.bpf_object__load(bpf_object))
        programs: Programs = {}
        program = ctypes.c_void_p(None)
        while address := library.bpf_object__next_program(bpf_object, program):
            program = ctypes.c_void_p(address)
            section = library.bpf_program__section_name(program)
            _, _, target = section.partition(b"/")
            programs[library.bpf_program__name(program).decode()] = (
                checked(library.libbpf_find_vmlinux_btf_id(target, _BPF_TRACE_ITER)),
                ctypes.string_at(
                    library.bpf_program__insns(program),
                    library.bpf_program__insn_cnt(program) * _INSTRUCTION_BYTES,
                ),
            )
        return programs
    finally:
        library.bpf_object__close(bpf_object)


def checked(result: int) -> int:
    """Return what libbpf returned unless it is a negative error number."""
    if result < 0:
        raise UnavailableError(_reason(-result))
    return result


def _reason(number: int) -> str:
    """Say what an error number of bpf(2) means for a person."""
    if number == errno.EPERM:
        return "the kernel does not permit BPF" if os.geteuid() == 0 else "needs root"
    return f"the kernel or libbpf refuses: {os.strerror(number)}"
