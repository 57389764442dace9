"""`pvfault bench`: how long a plant's day takes, against yardsticks that are measured beside it."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from pvfault.errors import PvfaultError
from pvfault_cli.messages import count, print_table, read_settings
from pvfault_cli.signals import ending_on_signals

# A deviceID has room for five digits behind its five letters.
MOST_DEVICES = 100_000


def bench(
    figures: Annotated[
        list[Path] | None, typer.Argument(metavar="[JSON]...", help="Earlier figures; for --page alone.")
    ] = None,
    devices: Annotated[int, typer.Option(min=1, max=MOST_DEVICES, help="Devices that send one day.")] = 1000,
    runs: Annotated[int, typer.Option(min=1, help="Timed runs, after one to warm up; medians are given.")] = 3,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="JSON", help="Write the figures here; else into build/bench.json."),
    ] = None,
    stages_only: Annotated[
        bool, typer.Option("--stages-only", help="Only the jobs and Spark's bare read; for large fleets.")
    ] = False,
    memory: Annotated[
        list[int] | None,
        typer.Option(
            min=1,
            max=MOST_DEVICES,
            metavar="DEVICES",
            help="Only the memory of the steps that hold something a device, for a fleet of this size; repeat it.",
        ),
    ] = None,
    api: Annotated[
        bool, typer.Option("--api", help="Only what `pvfault serve` takes to answer, from tables of 30 dates.")
    ] = False,
    page: Annotated[
        Path | None,
        typer.Option(metavar="MD", help="Measure nothing: put earlier figures' tables and plot into this page."),
    ] = None,
):
    """Measure the way of one day from the topic to the verdicts.

    Starts a broker and Spark of its own in a temporary folder (TMPDIR says where; three runs of 10,000 devices take
    about 15 GB), fills a topic, and runs the real jobs. Beside them it measures what there is to compare with: Spark's
    bare read, the bare matrix product, the network alone, the method of the original design, and a plain consumer loop.

    With `--memory 1000 --memory 10000 --memory 100000`, three steps are measured instead, each with each fleet in a
    process of its own: fitting what devices should give, gathering a month's faulty devices for a notification, and
    reading the registry. The peak a device, and by how much it rises from one fleet to the next, say whether memory is
    bounded by the batch or grows with the fleet; the figures go into build/bench-memory.json.

    With `--api`, gold tables of 30 dates are written, and a server is asked for single devices and for the fleet, 200
    times a second, and while a date is published; beside it PyIceberg scans the same rows. The figures go into
    build/bench-api.json. It takes about 2 minutes and 1 GB with 10,000 devices.

    Example: `pvfault bench --devices 1000 --runs 3`
    """
    from rich.console import Console

    if page is not None:
        _write_page(page, figures or [])
        return
    if figures:
        raise PvfaultError(f"{figures[0]} is given, but nothing is asked of it; add --page docs/performance.md")
    if memory:
        output = output or Path("build/bench-memory.json")
        found, show = _measure_memory(memory), _print_memory
    elif api:
        output = output or Path("build/bench-api.json")
        found, show = _measure_api(devices), _print_api
    else:
        output = output or Path("build/bench.json")
        found, show = _measure(devices, runs, stages_only), _print

    from pvfault_bench.report import write_figures

    write_figures(found, output)
    show(Console(), found)
    typer.echo(f"All figures: {output}")


def _measure_memory(fleets: list[int]) -> dict:
    """Measure the memory of single steps in a folder that is gone afterwards."""
    from rich.console import Console

    from pvfault_bench.memory import measure_memory
    from pvfault_cli.steps import Steps

    with ending_on_signals(), tempfile.TemporaryDirectory(prefix="pvfault-bench-") as folder:
        return measure_memory(fleets, Path(folder), Steps(Console(stderr=True)).step)


def _print_memory(console, found):
    """The peak of each step with each fleet."""
    from pvfault_bench.report import memory_rows

    print_table(memory_rows(found), "step", "devices", "peak MB", "kB a device", "kB a device more")
    console.print()


def _measure_api(devices: int) -> dict:
    """Measure the server in a folder that is gone afterwards."""
    from rich.console import Console

    from pvfault_bench.answers import Load, measure_answers
    from pvfault_cli.steps import Steps

    with ending_on_signals(), tempfile.TemporaryDirectory(prefix="pvfault-bench-") as folder:
        home = Path(folder)
        settings = read_settings(home=home, registry=home / "devices.csv")
        return measure_answers(settings, Load(devices), Steps(Console(stderr=True)).step)


def _print_api(console, found):
    """What each question took, and the rest line by line."""
    from pvfault_bench.report import api_rows

    questions, others = api_rows(found)
    print_table(questions, "question", "median ms", "95 of 100 ms", "longest ms", "CPU ms")
    console.print()
    print_table(others, "figure", "measured")
    console.print()


def _measure(devices: int, runs: int, stages_only: bool) -> dict:
    """Measure in a folder that is gone afterwards."""
    from rich.console import Console

    from pvfault.readings import READINGS_PER_DAY
    from pvfault_bench.run import Benchmark, measure
    from pvfault_cli.steps import Steps
    from pvfault_gateway import broker

    steps = Steps(Console(stderr=True))
    sent = 0

    def tell(readings):
        nonlocal sent
        sent += readings
        steps.tell(f"{sent / (devices * READINGS_PER_DAY):.0%}")

    with ending_on_signals(), tempfile.TemporaryDirectory(prefix="pvfault-bench-") as folder:
        home = Path(folder)
        address = f"localhost:{broker.free_port()}"
        settings = read_settings(home=home, broker=address, registry=home / "devices.csv")
        return measure(settings, Benchmark(devices, runs, stages_only), steps.step, tell)


def _print(console, found):
    """The stages, the yardsticks, and what a warm session saves."""
    from pvfault_bench.report import describe_run, stage_rows, yardstick_rows

    console.print(describe_run(found), highlight=False, soft_wrap=True)
    console.print()
    print_table(stage_rows(found), "stage", "seconds", "× bare read", "readings/s", "peak GiB", "MB written")
    console.print()
    print_table(yardstick_rows(found), "yardstick", "measured", "to reach")
    console.print()
    console.print(
        f"The first day in a session took {found['warmup_seconds']:.1f} s, a later one {found['path_seconds']:.1f} s.",
        highlight=False,
    )


def _write_page(page: Path, paths: list[Path]) -> None:
    from pvfault_bench.report import read_figures, update_page

    if not paths:
        raise PvfaultError(f"no figures for {page} were given; name the files that `pvfault bench --output` wrote")
    update_page(page, read_figures(paths))
    typer.echo(f"{page} and {page.with_suffix('.png')} show {count(len(paths), 'benchmark')}.")
