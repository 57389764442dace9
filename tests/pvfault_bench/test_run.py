"""Figures follow from measurements by arithmetic that can be checked by hand."""

import numpy as np
import pytest
import pywt

from pvfault import scalogram
from pvfault_bench.original import transform_window
from pvfault_bench.run import Benchmark, derive_figures
from pvfault_bench.stages import BARE_READ, CLASSIFY, INGEST, SCALOGRAMS, STAGES, SUMMARISE, Timings


@pytest.fixture
def timings():
    """Three runs, of which the second was disturbed."""
    return Timings(
        warmup=dict.fromkeys((BARE_READ, *STAGES), 20.0),
        seconds={
            BARE_READ: [5.0, 9.0, 5.0],
            INGEST: [6.0, 12.0, 6.0],
            SCALOGRAMS: [3.0, 8.0, 3.0],
            CLASSIFY: [2.0, 2.0, 2.0],
            SUMMARISE: [1.0, 1.0, 1.0],
        },
        bytes_written=dict.fromkeys(STAGES, 1_000_000),
        peak_memory_gib={BARE_READ: 9.0, INGEST: 3.0, SCALOGRAMS: 4.0, CLASSIFY: 5.0, SUMMARISE: 2.0},
        windows={"ok": 1200, "dark": 1200, "sparse": 0, "invalid": 0, "missing": 0, "curtailed": 0, "not reporting": 0},
    )


def test_ratios_are_of_medians_and_a_disturbed_run_does_not_count(timings):
    figures = derive_figures(Benchmark(100, 3), 432_000, timings, {"original": {"seconds_per_window": 0.05}})
    assert figures["path_seconds"] == 12.0
    assert figures["ratio_to_kafka_read"] == 12.0 / 5.0
    assert figures["readings_per_second"] == 36_000
    assert figures["core_seconds_per_device_day"] == pytest.approx(0.12 * figures["cores"])
    # Both methods from readings to predictions, by the lit window: 0.05 s against (3 + 2) s / 1200.
    assert figures["speedup_over_original_method"] == pytest.approx(12.0)
    # Spark's bare read is no stage of ours.
    assert figures["peak_memory_gib"] == 5.0


def test_what_was_not_measured_gives_no_figure(timings):
    figures = derive_figures(Benchmark(100, 3, stages_only=True), 432_000, timings, {})
    assert not {"speedup_over_original_method", "images_per_second", "scalogram_share_of_matmul"} & set(figures)


def test_the_original_method_makes_the_same_images():
    """A yardstick that does other work measures nothing."""
    windows = np.random.default_rng(0).random((5, 180, 4)).astype(np.float32)
    theirs = np.stack([transform_window(window) for window in windows]).astype(int)
    difference = np.abs(theirs - scalogram.transform(windows))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-3


def test_the_images_of_the_original_method_do_not_depend_on_the_default_precision_of_pywt(monkeypatch):
    window = np.random.default_rng(0).random((180, 4)).astype(np.float32)
    image = transform_window(window)
    monkeypatch.setitem(pywt.cwt.__kwdefaults__, "precision", 10)
    np.testing.assert_array_equal(transform_window(window), image)
