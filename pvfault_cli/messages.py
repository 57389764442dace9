"""What commands say and how: errors, progress, numbers, dates, and what they check before they start.

What more than one command needs, settings and outputs too. Results go to standard output, all else to standard error.
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path

import typer

from pvfault.date_ranges import runs_of, written
from pvfault.errors import PvfaultError
from pvfault.settings import Settings

_NAMED = 5


def read_settings(**options) -> Settings:
    """Read the settings of this process; options that were given (are not None) take precedence."""
    settings = Settings.from_environment(os.environ)
    return replace(settings, **{name: value for name, value in options.items() if value is not None})


def prepare_output(output: Path, kind: str, example: str, *, option: str = "--output") -> None:
    """Make the folder of an output, and refuse one that could not be written, before the work is done.

    Parameters
    ----------
    output : Path
    kind : str
        What the file is, as in "a Parquet file".
    example : str
        A name with the suffix that is expected.
    option : str
        What the file was named by.

    Raises
    ------
    PvfaultError
        If the suffix is another, or nothing can be written there.
    """
    if output.suffix != Path(example).suffix:
        short = {"--output": "-o"}.get(option, option)
        raise PvfaultError(f"{option} is {output}; expected {kind}, as in {short} {example}.")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        writable = not output.is_dir() and os.access(output if output.exists() else output.parent, os.W_OK)
    except OSError:  # a file where a folder should be, or a folder that nothing may be put into
        writable = False
    if not writable:
        raise PvfaultError(f"{output} cannot be written. Name another file, or change who may write this one.")


def count(number: int, noun: str) -> str:
    """Give a number with its noun.

    Examples
    --------
    >>> count(1, "device"), count(4_320, "reading")
    ('1 device', '4,320 readings')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def print_kept_out(kept_out: Mapping[str, Mapping[str, int]]) -> None:
    """Tell for each reason how many readings were not sent, and of which devices; of many, those with the most."""
    for reason, by_device in kept_out.items():
        most = sorted(by_device, key=by_device.get, reverse=True)
        named = [f"{device} ({by_device[device]:,})" for device in most[:_NAMED]]
        if len(most) > _NAMED:
            named.append(f"{count(len(most) - _NAMED, 'other device')}")
        total = count(sum(by_device.values()), "reading")
        typer.echo(f"Not sent, because {reason}: {total}, of {', '.join(named)}.")


def print_table(rows: Iterable[Iterable], *headings: str) -> None:
    """Print rows under headings, the first column to the left; whole numbers get their commas."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(f"{value:,}" if isinstance(value, int) else str(value) for value in row))
    Console().print(table)


def print_error(message: str) -> None:
    """Tell on standard error why a command ends."""
    typer.secho("Error: ", fg=typer.colors.RED, bold=True, err=True, nl=False)
    typer.echo(message, err=True)


@contextlib.contextmanager
def readings_progress(description: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a progress bar of readings and their rate, from the first call of the function that it gives.

    A command that is refused before it has done anything shows its message alone.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        """Readings a second since the start."""

        def render(self, task):
            return Text(f"{task.completed / task.elapsed if task.elapsed else 0:,.0f} readings/s")

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    progress = Progress(*columns, console=Console(stderr=True))
    task = progress.add_task(description, total=total)

    def advance(readings):
        progress.start()
        progress.advance(task, readings)

    try:
        yield advance
        progress.update(task, total=progress.tasks[task].completed)  # the total may have been an estimate
    finally:
        if progress.live.is_started:
            progress.stop()


def describe_dates(dates: Iterable[date]) -> str:
    """Give dates as runs of days.

    Examples
    --------
    >>> describe_dates([date(2019, 10, 4), date(2019, 10, 5), date(2019, 10, 6), date(2019, 12, 31)])
    '2019-10-04..2019-10-06, 2019-12-31'
    """
    return ", ".join(written(run[0], run[-1]) for run in runs_of(sorted(dates)))
