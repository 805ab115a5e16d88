"""Pictures of pages as small files: PNG with a palette of 256 colours, a third of what browsers write."""

from __future__ import annotations

import struct
import zlib

import numpy as np

_COLOURS = 256


def indexed_png(pixels: np.ndarray) -> bytes:
    """A PNG of pixels, uint8 (height, width, 3).

    Pages have few colours and many shades where letters end. Shades that agree in their five upper bits share
    the commonest of them; those beyond the 256 commonest take the nearest.

    >>> indexed_png(np.zeros((1, 1, 3), np.uint8))[:4]
    b'\\x89PNG'
    """
    height, width, _ = pixels.shape
    exact = (pixels.astype(np.uint32) << np.array([16, 8, 0], np.uint32)).sum(axis=2, dtype=np.uint32).ravel()
    colours, which, counts = np.unique(exact, return_inverse=True, return_counts=True)
    bucket = (colours >> 19 & 31) << 10 | (colours >> 11 & 31) << 5 | (colours >> 3 & 31)
    commonest_first = np.argsort(-counts, kind="stable")
    _, firsts = np.unique(bucket[commonest_first], return_index=True)
    chosen = commonest_first[np.sort(firsts)[:_COLOURS]]
    palette = _channels(colours[chosen])
    apart = ((_channels(colours)[:, None, :] - palette[None, :, :]) ** 2).sum(axis=2)
    indices = apart.argmin(axis=1).astype(np.uint8)[which].reshape(height, width)
    # Each line begins with its filter: none, which suits a palette best.
    lines = np.concatenate([np.zeros((height, 1), np.uint8), indices], axis=1).tobytes()
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    chunks = (
        (b"IHDR", header),
        (b"PLTE", palette.astype(np.uint8).tobytes()),
        (b"IDAT", zlib.compress(lines, 9)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _channels(colours: np.ndarray) -> np.ndarray:
    """int32 (colours, 3)."""
    return np.stack([colours >> 16 & 255, colours >> 8 & 255, colours & 255], axis=1).astype(np.int32)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
