"""The page of `pvfault classify --html`: one file with all that it needs, which asks no other host for anything.

Curves are drawn by uPlot, of which the fleet page has the one copy.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path

import jinja2
import numpy as np

from pvfault.classify import Judged
from pvfault.readings import MEASUREMENTS, UNITS
from pvfault.verdicts import SHORTS
from pvfault.windows import MAX_GAP_S
from pvfault_report.curves import DAY_S, PIXELS, ReadingsByDay, thin
from pvfault_report.days import FAULTY, HEALTHY, STATES, UNJUDGED, UNSURE, DeviceDay, faulty_hours, hours_of
from pvfault_report.document import describe_finding

# Device-days with curves: each takes 20 to 40 kB, and nobody looks at more.
DRAWN = 100
_NAMES = {
    "none": "Healthy",
    "line_line": "Line to line",
    "line_ground": "Line to ground",
    "open_circuit": "Open circuit",
    "partial_shading": "Partial shading",
    "arc_fault": "Arc fault",
    "unsure": "Unsure",
    None: "Not judged",
}
_TITLES = dict(zip(MEASUREMENTS, ("Voltage", "Current", "Module temperature", "Irradiance"), strict=True))
_DIGITS = dict(zip(MEASUREMENTS, (1, 2, 1, 0), strict=True))


def write_page(
    path: Path,
    about: Mapping,
    judged: Judged,
    days: Sequence[DeviceDay],
    readings: ReadingsByDay,
    findings: Sequence,
) -> None:
    """Write the page.

    Parameters
    ----------
    path : Path
    about : mapping
        As `document.write_document` takes it.
    judged : Judged
    days : sequence of DeviceDay
        In the order in which they are told; the first `DRAWN` of them with curves.
    readings : ReadingsByDay
    findings : sequence of pvfault.credibility.Finding
    """
    page = _environment().get_template("report.html.j2")
    text = page.render(
        about=about,
        title=_title([Path(file).name for file in about["files"]]),
        counts={state: sum(day.state == state for day in days) for state in STATES},
        findings=[describe_finding(each, about["devices"]) for each in findings],
        listed=[day for day in days if day.state != HEALTHY],
        drawn=[_draw(judged, day, readings) for day in days[:DRAWN]],
        not_drawn=max(len(days) - DRAWN, 0),
        style=(Path(__file__).parent / "report.css").read_text(encoding="utf-8"),
        script=(Path(__file__).parent / "report.js").read_text(encoding="utf-8"),
        uplot=files("pvfault_server").joinpath("page/uplot/uPlot.min.js").read_text(encoding="utf-8"),
        uplot_style=files("pvfault_server").joinpath("page/uplot/uPlot.min.css").read_text(encoding="utf-8"),
    )
    path.write_text(text, encoding="utf-8")


def _title(names):
    """The files' names, of many the first ones."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _draw(judged, day, readings):
    """What a section of the page is filled with: a device-day, its hours, its curves."""
    hours = hours_of(judged, day.row).to_pylist()
    shaded = faulty_hours(day, hours)
    second, measurements = readings.of(day.device, day.date)
    least, most = thin(second, measurements)
    curves = [
        {
            "name": _TITLES[name],
            "unit": UNITS[name],
            "digits": _DIGITS[name],
            "least": _numbers(least[:, column], _DIGITS[name]),
            "most": _numbers(most[:, column], _DIGITS[name]),
        }
        for column, name in enumerate(MEASUREMENTS)
    ]
    return {
        "day": day,
        "hours": [hour | {"in_fault": in_fault} for hour, in_fault in zip(hours, shaded, strict=True)],
        "data": {
            "step": DAY_S // PIXELS,
            # A slow logger's readings are joined, a gap among quick ones is not.
            "longest": max(2 * float(np.median(np.diff(second))) if len(second) > 1 else 0.0, MAX_GAP_S),
            "shaded": [number for number, in_fault in enumerate(shaded) if in_fault],
            "fault": day.verdict["fault"],
            "curves": curves,
        },
    }


def _numbers(values, digits):
    """Numbers as JSON takes them; None where there is none."""
    known = np.isfinite(values)
    return [round(float(value), digits) if has else None for value, has in zip(values, known, strict=True)]


def _in_words(candidates):
    """What it can be, in one phrase; the two shorts, which are one circuit at the terminals, as one."""
    left = [fault for fault in candidates if fault not in SHORTS]
    shorts = [fault for fault in candidates if fault in SHORTS]
    names = ["short (line to line or to ground)"] if len(shorts) == len(SHORTS) else [_NAMES[fault] for fault in shorts]
    named = [_NAMES[fault] for fault in left]
    ordered = [*names, *named] if candidates[0] in SHORTS else [*named, *names]
    return " or ".join(name.lower() for name in ordered)


@cache
def _environment():
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "fault": lambda fault: _NAMES.get(fault, fault),
        "candidates": _in_words,
        "ucfirst": lambda text: text[:1].upper() + text[1:],
    }
    environment.globals |= {"FAULTY": FAULTY, "UNSURE": UNSURE, "UNJUDGED": UNJUDGED, "HEALTHY": HEALTHY}
    return environment
