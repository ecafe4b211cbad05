"""libnftables in process: a ruleset is loaded and listed without starting a program."""

import ctypes
import os

_JSON = 1 << 4
"""NFT_CTX_OUTPUT_JSON (nftables/libnftables.h)."""


class Refused(Exception):  # noqa: N818 - an answer, not a fault
    """Nft or the kernel does not take a ruleset."""


class Nft:
    """One context of libnftables, tied to the network namespace of the thread that made it."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL("libnftables.so.1")
        for name in ("nft_ctx_get_error_buffer", "nft_ctx_get_output_buffer"):
            getattr(self._library, name).restype = ctypes.c_char_p
        self._library.nft_ctx_new.restype = ctypes.c_void_p
        self._context = ctypes.c_void_p(self._library.nft_ctx_new(0))
        self._library.nft_ctx_buffer_error(self._context)
        self._library.nft_ctx_buffer_output(self._context)

    def close(self) -> None:
        self._library.nft_ctx_free(self._context)

    def run(self, commands: str) -> str:
        failed = self._library.nft_run_cmd_from_buffer(self._context, commands.encode())
        said: bytes = self._library.nft_ctx_get_output_buffer(self._context)
        wrong: bytes = self._library.nft_ctx_get_error_buffer(self._context)
        if failed:
            raise Refused(wrong.decode(errors="replace"))
        return said.decode()

    def load(self, text: str) -> None:
        """Load a file's text; Refused names the lines at fault, as for a buffer it does not."""
        file = os.memfd_create("ruleset")
        try:
            os.write(file, text.encode())
            path = f"/proc/self/fd/{file}".encode()
            if self._library.nft_run_cmd_from_filename(self._context, path):
                wrong: bytes = self._library.nft_ctx_get_error_buffer(self._context)
                raise Refused(wrong.decode(errors="replace"))
        finally:
            os.close(file)

    def listing(self) -> str:
        """Return what ``nft -j list ruleset`` prints."""
        self._library.nft_ctx_output_set_flags(self._context, _JSON)
        try:
            return self.run("list ruleset")
        finally:
            self._library.nft_ctx_output_set_flags(self._context, 0)
