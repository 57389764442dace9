"""Small pictures as SVG: they are kept with each date in Dagster's storage, and drawn between two dates of a run.

Written by hand, because a picture is some 5 kB this way and takes a millisecond. Matplotlib's take 11 kB as PNG and
70 kB as SVG, and 0.3 s of the date.
"""

import base64
import math
from collections.abc import Iterable, Mapping, Sequence
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 760, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 24, 44, 28  # around the axes
_GREY, _LIGHT = "#6b7280", "#e5e7eb"
_LETTER = 6.5  # mean width at a size of 12


def markdown_image(alt: str, svg: str) -> str:
    """A picture that stands in the Markdown itself."""
    return f"![{alt}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"


def stacked_bars(
    title: str, labels: Sequence[str], series: Mapping[str, Sequence[int | None]], colours: Mapping[str, str]
) -> str:
    """Counts of several kinds, stacked, side by side for each label.

    Parameters
    ----------
    title : str
    labels : sequence of str, length n
        Of the first, the last and some of the others, as many as there is room for.
    series : mapping of str to sequence of int or None, length n
        By kind; where any is None nothing is known, which is shaded.
    colours : mapping of str to str
        Of each kind.

    Returns
    -------
    str
        SVG.
    """
    columns = list(zip(*series.values(), strict=True))
    ticks = ticks_up_to(max((sum(column) for column in columns if None not in column), default=0), whole=True)
    step = (WIDTH - _LEFT - _RIGHT) / len(labels)
    parts = [_frame(title, ticks), _legend(colours)]
    unknown = [number for number, column in enumerate(columns) if None in column]
    parts.append(_rectangles(_LIGHT, ((_LEFT + n * step, ticks[-1], 0.0, step) for n in unknown), ticks))
    base = [0] * len(labels)
    for name, counts in series.items():
        bars = [(_LEFT + n * step + 1, base[n] + count, base[n], step - 2) for n, count in enumerate(counts) if count]
        parts.append(_rectangles(colours[name], bars, ticks))
        base = [below + (count or 0) for below, count in zip(base, counts, strict=True)]
    every = math.ceil(len(labels) / 9)
    middles = [(_LEFT + (n + 0.5) * step, labels[n]) for n in range(len(labels) - 1, -1, -every)]
    return _picture([*parts, *_x_labels(middles)])


def curves(
    title: str, labels: Sequence[str], series: Mapping[str, Sequence[float | None]], colours: Mapping[str, str]
) -> str:
    """Values of several kinds as lines over the same points; a line is broken where a value is None."""
    known = [value for values in series.values() for value in values if value is not None]
    ticks = ticks_up_to(max(known, default=0.0))
    step = (WIDTH - _LEFT - _RIGHT) / max(len(labels) - 1, 1)
    parts = [_frame(title, ticks), _legend({name: colours[name] for name in series})]
    for name, values in series.items():
        path, pen = [], "M"
        for n, value in enumerate(values):
            if value is None:
                pen = "M"
                continue
            path.append(f"{pen}{_LEFT + n * step:.1f} {_y(max(value, 0.0), ticks):.1f}")
            pen = "L"
        parts.append(f'<path d="{"".join(path)}" fill="none" stroke="{colours[name]}" stroke-width="2"/>')
    return _picture([*parts, *_x_labels((_LEFT + n * step, labels[n]) for n in range(0, len(labels), 3))])


def ticks_up_to(most: float, *, whole: bool = False) -> list[float]:
    """Round numbers from 0 to the first that is not below the most, four to eight of them.

    Examples
    --------
    >>> ticks_up_to(7.3)
    [0.0, 2.0, 4.0, 6.0, 8.0]
    >>> ticks_up_to(1, whole=True)
    [0.0, 1.0]
    """
    if most <= 0:
        return [0.0, 1.0]
    power = 10.0 ** math.floor(math.log10(most / 4))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor * 4 >= most or factor == 10)
    step = max(step, 1.0) if whole else step
    return [n * step for n in range(math.ceil(most / step - 1e-9) + 1)]


def _y(value: float, ticks: Sequence[float]) -> float:
    return HEIGHT - _BOTTOM - value / ticks[-1] * (HEIGHT - _TOP - _BOTTOM)


def _frame(title: str, ticks: Sequence[float]) -> str:
    """Title, lines across, and their numbers."""
    lines = "".join(f"M{_LEFT} {_y(tick, ticks):.1f}H{WIDTH - _RIGHT}" for tick in ticks)
    numbers = "".join(_text(_LEFT - 6, _y(tick, ticks) + 4, f"{tick:g}", anchor="end") for tick in ticks)
    return (
        f'<path d="{lines}" stroke="{_LIGHT}"/>{numbers}'
        f'<text x="{_LEFT}" y="16" font-size="13" font-weight="bold" fill="#111827">{escape(title)}</text>'
    )


def _legend(colours: Mapping[str, str]) -> str:
    parts, x = [], _LEFT
    for name, colour in colours.items():
        parts.append(f'<rect x="{x:.0f}" y="24" width="10" height="10" fill="{colour}"/>{_text(x + 14, 33, name)}')
        x += 30 + _LETTER * len(name)
    return "".join(parts)


def _rectangles(colour: str, bars: Iterable[tuple[float, float, float, float]], ticks: Sequence[float]) -> str:
    """Bars of one colour as one path; each is its left side, upper and lower value, and width."""
    path = "".join(
        f"M{x:.1f} {_y(low, ticks):.1f}V{_y(high, ticks):.1f}h{width:.1f}V{_y(low, ticks):.1f}z"
        for x, high, low, width in bars
    )
    return f'<path d="{path}" fill="{colour}"/>' if path else ""


def _x_labels(places: Iterable[tuple[float, str]]) -> list[str]:
    return [_text(x, HEIGHT - 10, label, anchor="middle") for x, label in places]


def _text(x: float, y: float, text: str, *, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{_GREY}">{escape(text)}</text>'


def _picture(parts: Iterable[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="12">'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>{"".join(parts)}</svg>'
    )
