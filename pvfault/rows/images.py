"""Scalograms as a column of a table, and back, without copying them one by one."""

from itertools import pairwise

import numpy as np
import pyarrow as pa

from pvfault import scalogram

# Arrow counts the bytes of a binary array in an int32: 2 GiB in one chunk of a column.
IMAGES_PER_CHUNK = (2**31 - 1) // scalogram.BYTES


def as_column(images, rows, n, images_per_chunk=IMAGES_PER_CHUNK):
    """Images as a binary column of n rows, null where there is no image, without copying them one by one."""
    edges = [0, *rows[images_per_chunk::images_per_chunk].tolist(), n]
    chunks = []
    for chunk, (first, end) in enumerate(pairwise(edges)):
        own = slice(chunk * images_per_chunk, (chunk + 1) * images_per_chunk)
        chunks.append(_chunk(images[own], rows[own] - first, end - first))
    return pa.chunked_array(chunks, pa.binary())


def _chunk(images, rows, n):
    """As `as_column`, in one array."""
    size = np.zeros(n + 1, np.int32)
    size[rows + 1] = scalogram.BYTES
    valid = np.zeros(n, bool)
    valid[rows] = True
    return pa.Array.from_buffers(
        pa.binary(),
        n,
        [
            pa.py_buffer(np.packbits(valid, bitorder="little")),
            pa.py_buffer(np.cumsum(size, dtype=np.int32)),
            pa.py_buffer(np.ascontiguousarray(images)),
        ],
    )


def as_images(column):
    """The images of a binary column, shape (n, 64, 64, 4), without its nulls; not copied if they are in one chunk."""
    parts = [np.empty((0, *scalogram.SHAPE), np.uint8)]
    for chunk in column.cast(pa.binary()).chunks:
        present = chunk.drop_null()
        if not len(present):
            continue
        _, offset_buffer, data = present.buffers()
        offsets = np.frombuffer(offset_buffer, np.int32)[present.offset : present.offset + len(present) + 1]
        if (np.diff(offsets) != scalogram.BYTES).any():
            raise ValueError(f"a scalogram is not of {scalogram.BYTES} bytes; make the date's scalograms again")
        parts.append(np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]].reshape(-1, *scalogram.SHAPE))
    return parts[-1] if len(parts) <= 2 else np.concatenate(parts)
