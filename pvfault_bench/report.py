"""Figures of one or more benchmarks as tables and a plot.

These are docs/performance.md's measured parts, so that a new measurement is one command away. What a terminal shows is
in `pvfault_cli/bench.py`.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from pvfault.errors import PvfaultError
from pvfault.tables import OK
from pvfault_bench import sizing
from pvfault_bench.stages import BARE_READ, CLASSIFY, INGEST, SCALOGRAMS, STAGES

ENOUGH_RUNS = 3
FLEETS = (10_000, 100_000, 1_000_000)
# (key, heading, format, what it has to reach)
YARDSTICKS = (
    ("ratio_to_kafka_read", "whole path ÷ Spark's bare read", "{:.2f}", "≤ 4, aim 3"),
    ("speedup_over_original_method", "× faster than the original method", "{:.1f}", "≥ 10, aim 20"),
    ("scalogram_share_of_matmul", "scalograms ÷ bare matrix product", "{:.0%}", "≥ 40 %"),
    ("images_per_second", "images/s of the network", "{:,.0f}", "≥ 4,000"),
    ("peak_memory_gib", "peak memory [GiB]", "{:.1f}", "< 10 (10,000 devices)"),
    ("path_seconds", "seconds, topic to verdicts", "{:.1f}", "< 360 (10,000 devices)"),
    ("warmup_seconds", "the same for the first date in a session", "{:.1f}", "once in a session"),
)
_BEGIN, _END = "<!-- pvfault bench: {} -->", "<!-- end of {} -->"


def write_figures(figures: dict, path: Path) -> None:
    """Write figures as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=1) + "\n")


def read_figures(paths: Sequence[Path]) -> list[dict]:
    """Figures of some benchmarks, in the order of their fleets' sizes.

    Raises
    ------
    PvfaultError
        If a file is not there, or is not what `write_figures` wrote.
    """
    found = []
    for path in paths:
        try:
            figures = json.loads(path.read_text())
            found.append((figures["devices"], figures["path_seconds"], figures))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise PvfaultError(
                f"{path} holds no figures of a benchmark ({error}); write some with `pvfault bench --output {path}`"
            ) from error
    return [figures for *_, figures in sorted(found, key=lambda entry: entry[:2])]


def describe_run(figures: dict) -> str:
    """In one line, what was measured where."""
    machine = figures["machine"]
    runs = (
        f"medians of {figures['runs']} runs" if figures["runs"] >= ENOUGH_RUNS else "a trial of fewer than three runs"
    )
    return (
        f"{figures['devices']:,} devices, {figures['readings']:,} readings, {runs} after a warm-up, "
        f"{machine['cores']} cores ({machine['cpu_model'] or 'unknown processor'}), {machine['memory_gib']:.0f} GiB"
    )


def stage_rows(figures: dict) -> list[tuple[str, ...]]:
    """For each stage and the whole path: name, seconds, × bare read, readings/s, peak GiB, MB written."""
    floor = figures["seconds"][BARE_READ]

    def row(name, seconds, peak, written):
        rate = f"{figures['readings'] / seconds:,.0f}"
        return name, f"{seconds:.1f}", f"{seconds / floor:.2f}", rate, f"{peak:.1f}", written

    rows = [
        row(
            stage,
            figures["seconds"][stage],
            figures["peak_memory_gib_by_stage"][stage],
            f"{figures['bytes_written'][stage] / 1e6:,.1f}" if stage in figures["bytes_written"] else "",
        )
        for stage in (BARE_READ, *STAGES)
    ]
    written = f"{sum(figures['bytes_written'].values()) / 1e6:,.1f}"
    return [*rows, row("whole path", figures["path_seconds"], figures["peak_memory_gib"], written)]


def yardstick_rows(figures: dict) -> list[tuple[str, str, str]]:
    """Name, value and target of each yardstick that was measured."""
    return [(heading, form.format(figures[key]), target) for key, heading, form, target in YARDSTICKS if key in figures]


def memory_rows(figures: dict) -> list[tuple[str, ...]]:
    """For each step and fleet: name, devices, peak MB, kB a device, and by how many kB a device the peak has risen."""
    return [
        (
            name,
            f"{row['devices']:,}",
            f"{row['peak_bytes'] / 1e6:,.1f}",
            f"{row['bytes_a_device'] / 1e3:.2f}",
            "" if row["bytes_a_device_more"] is None else f"{row['bytes_a_device_more'] / 1e3:.2f}",
        )
        for name, rows in figures["steps"].items()
        for row in rows
    ]


def api_rows(figures: dict) -> tuple[list[tuple[str, ...]], list[tuple[str, str]]]:
    """Each question with its median, 95 of 100 and longest time and its CPU time in ms; and the other figures."""
    questions = [
        (
            title,
            *(f"{found[name]:,.1f}" if name in found else "" for name in ("p50_ms", "p95_ms", "longest_ms", "cpu_ms")),
        )
        for title, found in ((title, figures[name]) for name, title in _QUESTIONS.items())
    ]
    load, new = figures["load"], figures["new_snapshot"]
    others = [
        ("× less CPU than a plain scan, HTTP included", f"{figures['cpu_ratio']:.1f}"),
        ("requests a second, asked and answered", f"{load['asked_per_s']:,.0f}, {load['answered_per_s']:,.1f}"),
        ("of them not answered", f"{load['failed'] + new['failed']} of {load['requests']:,}"),
        ("start to first answer [s]", f"{figures['start_s']:.1f}"),
        ("published date seen after [s]", f"{new['seen_after_s']:.2f}"),
        ("peak memory [MiB]", f"{figures['peak_mib']:,}"),
    ]
    return questions, others


_QUESTIONS = {
    "plain_scan": "a device's day, plain scan by PyIceberg",
    "device_day": "a device's day",
    "device_month": "a device's dates, all of them",
    "fleet": "fleet, 7 dates",
    "fleet_by_site": "fleet, 7 dates by site",
    "page_of_devices": "100 devices that lost the most",
    "load": "a device's day, under load",
    "new_snapshot": "a device's day, while a date is published",
}


def part_rows(figures: dict) -> list[tuple[str, ...]]:
    """What each stage is made of, as far as yardsticks tell: stage, part, seconds, share of the stage."""
    found, seconds, cores = figures.get("yardsticks", {}), figures["seconds"], figures["machine"]["cores"]
    parts = {INGEST: {"bare read of the topic": seconds[BARE_READ]}}
    if "transform" in found:
        lit = figures["windows"][OK]
        product = lit / found["transform"]["product_windows_per_second"] / cores
        transform = lit / found["transform"]["transform_windows_per_second"] / cores
        parts[SCALOGRAMS] = {
            "bare matrix product": product,
            "magnitude, pooling, logarithm": max(transform - product, 0.0),
        }
    if "network" in found:
        parts[CLASSIFY] = {"network": figures["windows"][OK] / found["network"]["processes_of_one_thread"]}
    rests = {
        INGEST: "decode, sort, write, audits",
        SCALOGRAMS: "read, cut windows, write, audits",
        CLASSIFY: "read, write, audits",
    }
    rows = []
    for stage, known in parts.items():
        rest = {rests[stage]: max(seconds[stage] - sum(known.values()), 0.0)}
        rows += [(stage, part, f"{s:.1f}", f"{s / seconds[stage]:.0%}") for part, s in (known | rest).items()]
    return rows


def tables_of(all_figures: Sequence[dict]) -> dict[str, str]:
    """The measured parts of docs/performance.md, by name.

    Parameters
    ----------
    all_figures : sequence of dict
        Sorted by size of the fleet. Yardsticks are those of the largest fleet that has all of them, stages and costs
        those of the largest.
    """
    largest = all_figures[-1]
    judged = max(all_figures, key=lambda figures: len(yardstick_rows(figures)) * 1_000_000 + figures["devices"])
    return {
        "yardsticks": f"{describe_run(judged)}:\n\n"
        + _markdown(("figure", "measured", "to reach"), yardstick_rows(judged)),
        "stages": f"{describe_run(largest)}:\n\n"
        + _markdown(("stage", "seconds", "× bare read", "readings/s", "peak GiB", "MB written"), stage_rows(largest)),
        "parts": f"{describe_run(judged)}:\n\n"
        + _markdown(("stage", "part", "seconds", "of the stage"), part_rows(judged)),
        "scaling": _markdown(
            ("devices", "readings", *STAGES, "whole path [s]", "× bare read", "core-seconds a device-day", "peak GiB"),
            [_scaling_row(figures) for figures in all_figures],
        ),
        "sizing": sizing_table(largest["core_seconds_per_device_day"]),
    }


def sizing_table(core_seconds_per_device_day: float) -> str:
    """Workers and cost of EMR Serverless for `FLEETS`, as Markdown."""
    rows = []
    for fleet in FLEETS:
        size = sizing.size(fleet, core_seconds_per_device_day)
        rows.append(
            (
                f"{fleet:,}",
                f"{size.workers} + driver",
                f"{size.wall_seconds / 60:.1f}",
                f"{size.vcpu_hours:.1f}",
                f"{size.gb_hours:.1f}",
                f"{size.dollars:.2f}",
                f"{size.dollars * 365.25 / 12:,.0f}",
            )
        )
    heads = ("devices", "workers", "minutes", "vCPU-hours a day", "GB-hours a day", "$ a day", "$ a month")
    return f"From {core_seconds_per_device_day:.4f} core-seconds a device-day:\n\n" + _markdown(heads, rows)


def update_page(page: Path, all_figures: Sequence[dict]) -> None:
    """Put the tables between their marks in a Markdown page, and the plot beside it as a PNG of the same name.

    Raises
    ------
    PvfaultError
        If the page is not there or has not all the marks.
    """
    try:
        text = page.read_text()
    except OSError as error:
        raise PvfaultError(f"{page} cannot be read ({error.strerror}); name docs/performance.md") from error
    for name, table in tables_of(all_figures).items():
        begin, end = _BEGIN.format(name), _END.format(name)
        before, found, rest = text.partition(begin)
        _, found_end, after = rest.partition(end)
        if not (found and found_end):
            raise PvfaultError(f"{page} has no place for the table {name!r}; put the lines {begin} and {end} into it")
        text = f"{before}{begin}\n\n{table}\n\n{end}{after}"
    plot(all_figures, page.with_suffix(".png"))
    page.write_text(text)


def plot(all_figures: Sequence[dict], path: Path) -> None:
    """Draw time and memory over the size of the fleet."""
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator

    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        drawing = Figure(figsize=(10, 3.6), layout="constrained")
        time_axes, memory_axes = drawing.subplots(1, 2)
        devices = [figures["devices"] for figures in all_figures]
        path_seconds = [figures["path_seconds"] for figures in all_figures]
        for stage in (BARE_READ, *STAGES):
            seconds = [figures["seconds"][stage] for figures in all_figures]
            style = {"linestyle": "--", "color": "grey"} if stage == BARE_READ else {}
            time_axes.plot(devices, seconds, marker=".", label=stage, **style)
        time_axes.plot(devices, path_seconds, marker="o", color="black", label="whole path")
        # Through the largest fleet, where what each job costs by itself weighs least.
        line = [path_seconds[-1] * n / devices[-1] for n in devices]
        time_axes.plot(devices, line, linestyle=":", color="black", label="in proportion")
        time_axes.set(xscale="log", yscale="log", xlabel="devices", ylabel="seconds", title="Time of one day")
        drawing.legend(loc="outside right center", fontsize=8, frameon=False)
        memory = [figures["peak_memory_gib"] for figures in all_figures]
        memory_axes.plot(devices, memory, marker="o", color="black")
        memory_axes.set(xscale="log", xlabel="devices", ylabel="GiB", title="Peak memory of all processes")
        memory_axes.set_ylim(0, max(memory) * 1.2)
        for axes in (time_axes, memory_axes):
            axes.set_xticks(devices, [f"{n:,}" for n in devices])
            axes.minorticks_off()
        time_axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        time_axes.yaxis.set_major_formatter("{x:g}")
        drawing.savefig(path, dpi=120)


def _scaling_row(figures):
    return (
        f"{figures['devices']:,}",
        f"{figures['readings']:,}",
        *(f"{figures['seconds'][stage]:.1f}" for stage in STAGES),
        f"{figures['path_seconds']:.1f}",
        f"{figures['ratio_to_kafka_read']:.2f}",
        f"{figures['core_seconds_per_device_day']:.3f}",
        f"{figures['peak_memory_gib']:.1f}",
    )


def _markdown(heads, rows) -> str:
    """A table in Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
