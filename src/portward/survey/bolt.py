"""Read a database of bbolt, the key-value store that podman kept its containers in until 4.8.

Format: page.go, bucket.go and node.go of go.etcd.io/bbolt. Everything is little-endian. A file
that a program writes to meanwhile is whole all the same: changed pages are written beside the
old ones, then one of the two meta pages is changed over.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

_META = struct.Struct("<IIIIQQQQQQ")
"""Magic, version, page size, flags, root page, sequence, free list, high page, transaction, sum."""
_PAGE = struct.Struct("<QHHI")
"""Number, flags, count, overflow."""
_BRANCH = struct.Struct("<IIQ")
"""Offset of the key from here, its size, page below."""
_LEAF = struct.Struct("<IIII")
"""Flags, offset of the key from here, its size, size of the value behind it."""
_BUCKET = struct.Struct("<QQ")
"""Root page, sequence; the page itself follows where the number is 0."""

_MAGIC, _VERSION = 0xED0CDAED, 2
_IS_BRANCH, _IS_LEAF, _IS_BUCKET = 1, 2, 1
_FNV_START, _FNV_PRIME = 0xCBF29CE484222325, 0x100000001B3


class BoltError(ValueError):
    """The database cannot be read; the text is a short clause."""


class Bucket(NamedTuple):
    """A map from keys to values and further buckets."""

    database: "Bolt"
    root: memoryview
    """The page at its top, to the end of what it may refer to."""

    def value(self, key: bytes) -> bytes | None:
        """Return the value of a key; None where there is none."""
        values = (value for name, kind, value in self._entries() if name == key and not kind)
        found = next(values, None)
        return None if found is None else bytes(found)

    def bucket(self, key: bytes) -> "Bucket | None":
        """Return the bucket of a key; None where there is none."""
        return next((bucket for name, bucket in self.buckets() if name == key), None)

    def buckets(self) -> Iterator[tuple[bytes, "Bucket"]]:
        """Yield the buckets in it with their keys."""
        for key, kind, value in self._entries():
            if kind & _IS_BUCKET:
                yield key, self.database.bucket(value)

    def _entries(self) -> Iterator[tuple[bytes, int, memoryview]]:
        try:
            yield from self._leaves(self.root, set())
        except struct.error as error:
            raise BoltError("damaged bolt database") from error

    def _leaves(self, page: memoryview, seen: set[int]) -> Iterator[tuple[bytes, int, memoryview]]:
        _, flags, count, _ = _PAGE.unpack_from(page)
        if not flags & (_IS_BRANCH | _IS_LEAF):
            raise BoltError("damaged bolt database")
        element = _LEAF if flags & _IS_LEAF else _BRANCH
        for place in range(_PAGE.size, _PAGE.size + count * element.size, element.size):
            if element is _BRANCH:
                _, _, below = _BRANCH.unpack_from(page, place)
                if below in seen:
                    raise BoltError("damaged bolt database")
                seen.add(below)
                yield from self._leaves(self.database.page(below), seen)
                continue
            kind, offset, key_size, size = _LEAF.unpack_from(page, place)
            start = place + offset
            end = start + key_size + size
            if end > len(page):
                raise BoltError("damaged bolt database")
            yield bytes(page[start : start + key_size]), kind, page[start + key_size : end]


class Bolt:
    """A whole database, read into memory."""

    def __init__(self, data: bytes) -> None:
        """Choose the newer of the two meta pages that are whole; raise BoltError for none."""
        self._data = memoryview(data)
        metas = [meta for meta in (_meta(data, 0), *_second(data)) if meta]
        if not metas:
            raise BoltError("no bolt database")
        newest = max(metas, key=lambda meta: meta.transaction)
        self._page_size = newest.page_size
        self._root = newest.root

    @property
    def top(self) -> Bucket:
        """The bucket that holds all others."""
        return Bucket(self, self.page(self._root))

    def page(self, number: int) -> memoryview:
        """Return a page with those that it flows over into."""
        start = number * self._page_size
        try:
            _, _, _, overflow = _PAGE.unpack_from(self._data, start)
        except struct.error as error:
            raise BoltError("damaged bolt database") from error
        return self._data[start : start + (overflow + 1) * self._page_size]

    def bucket(self, value: memoryview) -> Bucket:
        """Return the bucket that a leaf's value describes: small ones lie in the value itself."""
        try:
            root, _ = _BUCKET.unpack_from(value)
        except struct.error as error:
            raise BoltError("damaged bolt database") from error
        return Bucket(self, self.page(root) if root else value[_BUCKET.size :])


class _Meta(NamedTuple):
    page_size: int
    root: int
    transaction: int


def _meta(data: bytes, start: int) -> _Meta | None:
    """Read a meta page; None where it is none, or half written."""
    place = start + _PAGE.size
    if len(data) < place + _META.size:
        return None
    magic, version, size, _, root, _, _, _, transaction, checksum = _META.unpack_from(data, place)
    whole = checksum == _fnv(data[place : place + _META.size - 8])
    if (magic, version) != (_MAGIC, _VERSION) or not size or not whole:
        return None
    return _Meta(size, root, transaction)


def _second(data: bytes) -> Iterator[_Meta | None]:
    """Look for the second meta page where the page size, which stands in the first, puts it."""
    for size in (0x1000, 0x2000, 0x4000, 0x8000, 0x10000):
        meta = _meta(data, size)
        if meta and meta.page_size == size:
            yield meta


def _fnv(data: bytes) -> int:
    """Return the checksum FNV-1a of 64 bits."""
    value = _FNV_START
    for byte in data:
        value = (value ^ byte) * _FNV_PRIME & 0xFFFFFFFFFFFFFFFF
    return value
