"""Scalograms in a column: what goes in comes out, whatever the chunks."""

import numpy as np
import pyarrow as pa
import pytest

from pvfault.rows.images import as_column, as_images


@pytest.mark.parametrize("present", [[], [0], [9], [1, 3, 4, 8], list(range(10))])
@pytest.mark.parametrize("images_per_chunk", [1, 2, 3, 4, 100])
def test_images_go_into_a_column_and_come_back_however_it_is_chunked(present, images_per_chunk):
    images = np.random.default_rng(0).integers(0, 256, (len(present), 64, 64, 4), np.uint8)
    column = as_column(images, np.array(present, int), 10, images_per_chunk)
    column.validate(full=True)
    expected = [None] * 10
    for row, image in zip(present, images, strict=True):
        expected[row] = image.tobytes()
    assert column.to_pylist() == expected
    np.testing.assert_array_equal(as_images(column), images)
    in_slice = np.array([2 <= row < 7 for row in present], bool)
    np.testing.assert_array_equal(as_images(column.slice(2, 5)), images[in_slice])
    np.testing.assert_array_equal(as_images(column.cast(pa.large_binary())), images)


def test_more_images_than_two_gib_do_not_overflow():
    """Arrow counts bytes in an int32: image 131,072 of a table came from before the start of the buffer."""
    n = 131_073
    images = np.zeros((n, 64, 64, 4), np.uint8)  # memory that is never touched is never taken
    images[-1, 0, 0] = 1, 2, 3, 4
    column = as_column(images, np.arange(n), n)
    column.validate()
    assert len(column) == n
    assert column.null_count == 0
    assert column[n - 1].as_py() == images[-1].tobytes()
    assert column[131_071].as_py() == bytes(16_384)
