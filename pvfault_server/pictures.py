"""A picture of what the network is shown of an hour: its scalogram, with axes in real units.

matplotlib is loaded with the first picture, and without its windows: a server has no screen.
"""

import io
from datetime import datetime

import numpy as np

_TITLES = (
    "Voltage beside what is expected",
    "Current beside what is expected",
    "Marks of the hour, 1 to 45",
    "Irradiance, and marks 46 to 90",
)
_SIZE_IN, _DPI = (9.6, 7.2), 100


def draw_scalogram(image: bytes, device: str, start: datetime) -> bytes:
    """Draw a scalogram.

    Parameters
    ----------
    image : bytes
        As `scalograms` has it: scale, time, channel.
    device : str
    start : datetime
        When the hour begins (UTC).

    Returns
    -------
    bytes
        Of a PNG.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure

    from pvfault.scalogram import CEILING, CHANNELS, FLOOR

    figure = Figure(figsize=_SIZE_IN, dpi=_DPI, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    figure.suptitle(f"{device}, {start:%Y-%m-%d %H:%M} UTC")
    minutes, periods = edges()
    strength = magnitudes(image)
    for channel, axes in zip(range(CHANNELS), figure.subplots(2, 2, sharex=True, sharey=True).flat, strict=True):
        drawn = axes.pcolormesh(
            minutes, periods, np.maximum(strength[..., channel], FLOOR), norm=LogNorm(FLOOR, CEILING), rasterized=True
        )
        axes.set_title(_TITLES[channel], fontsize="medium")
        axes.set_yscale("log")
        axes.set_yticks([0.5, 1, 2, 5, 10, 20], ["0.5", "1", "2", "5", "10", "20"])
        axes.minorticks_off()
        axes.set_xlim(0, 60)
    figure.supxlabel("Minutes within the hour")
    figure.supylabel("Period in minutes")
    figure.colorbar(drawn, ax=figure.axes, label="|coefficient|")
    sink = io.BytesIO()
    canvas.print_png(sink)
    return sink.getvalue()


def magnitudes(image: bytes) -> np.ndarray:
    """What a scalogram's bytes stand for, shape (64, 64, 4): scale, time, channel; `quantise` the other way."""
    from pvfault.scalogram import CEILING, FLOOR, SHAPE

    level = np.frombuffer(image, np.uint8).reshape(SHAPE)
    return FLOOR * np.expm1(level * (np.log1p(CEILING / FLOOR) / 255))


def edges() -> tuple[np.ndarray, np.ndarray]:
    """Where the columns [min within the hour] and the rows [period in min] of a scalogram begin and end.

    The hour has six slots of zeros on each side in it. A Morlet wavelet sees most of a wave whose period is 2π/5 of its
    scale, as its cosine has 5 radians a sample of the scale.
    """
    from pvfault.readings import SAMPLE_PERIOD_S
    from pvfault.scalogram import COLUMNS, PADDED, SCALES
    from pvfault.windows import SLOTS

    slot_min = SAMPLE_PERIOD_S / 60
    minutes = (np.linspace(0, PADDED, COLUMNS + 1) - (PADDED - SLOTS) / 2) * slot_min
    scales = np.append(SCALES, SCALES[-1] + 1) - 0.5
    return minutes, scales * (2 * np.pi / 5) * slot_min
