"""`pvfault demo`: the whole way once, on simulated devices whose faults are known."""

import os
import shutil
import sys
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated

import typer

from pvfault.errors import PvfaultError
from pvfault.settings import Settings
from pvfault_cli.messages import count, read_settings
from pvfault_cli.runs import Watch
from pvfault_cli.signals import ending_on_signals

FIRST_DATE = date(2024, 6, 1)


def demo(
    devices: Annotated[int, typer.Option(min=1, help="Number of simulated devices.")] = 50,
    days: Annotated[int, typer.Option(min=1, help="Number of days.")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same fleet.")] = 0,
):
    """Simulate a fleet, find its faults, and compare them with the truth.

    A Kafka broker is started, filled and stopped again; Dagster materialises each day; the verdicts are read from
    their table. Everything lies in the folder `demo` of the state folder, apart from your own data, and is replaced by
    the next demo.

    Example: `pvfault demo --devices 100`
    """
    from rich.console import Console

    from pvfault_cli.steps import Steps

    environment = _demo_environment(read_settings())
    settings = Settings.from_environment(environment)
    dates = [FIRST_DATE + timedelta(day) for day in range(days)]
    log = settings.home / "demo.log"
    console = Console()
    steps = Steps(console)
    with ending_on_signals():
        _clear(settings)
        try:
            with _broker(settings, steps):
                labels = _simulate(settings, dates, devices, seed, steps)
                _materialise(environment, dates, log, steps)
            found = _read_verdicts(settings, dates, steps)
        except PvfaultError as error:
            raise PvfaultError(f"{error}\n(What the tools said is in {_short(log)}.)") from error
    _print_fleet(console, devices, labels, found)
    _print_what_next(console, settings, dates, log)


def _demo_environment(settings: Settings) -> dict[str, str]:
    """The user's environment, packages and model; a state folder, registry, broker and topic of the demo's own."""
    from pvfault_gateway import broker

    theirs = {name: value for name, value in os.environ.items() if not name.startswith("PVFAULT_")}
    return theirs | {
        "PVFAULT_HOME": str(settings.home / "demo"),
        "PVFAULT_JARS": str(settings.jars),
        "PVFAULT_MODEL": str(settings.model),
        "PVFAULT_BROKER": f"localhost:{broker.free_port()}",
    }


def _clear(settings: Settings) -> None:
    """Begin with an empty folder, so that each demo is the first."""
    from pvfault_gateway import broker

    broker.stop(settings)  # that of a demo which was killed
    shutil.rmtree(settings.home, ignore_errors=True)
    settings.home.mkdir(parents=True)


@contextmanager
def _broker(settings, steps):
    """A broker for as long as it is needed."""
    from pvfault_gateway import broker

    try:
        with steps.step("Kafka broker started"):
            port = int(settings.broker.rpartition(":")[2])
            broker.start(settings, port=port, java_home=os.environ.get("JAVA_HOME"))
        yield
    finally:
        broker.stop(settings)


def _simulate(settings, dates, devices, seed, steps):
    """Send a simulated fleet's readings to the broker."""
    from pvfault.readings import READINGS_PER_DAY
    from pvfault_gateway.simulate import simulate
    from pvfault_workshop.simulation import simulate_fleet

    total = devices * len(dates) * READINGS_PER_DAY
    sent = 0

    def tell(readings):
        nonlocal sent
        sent += readings
        steps.tell(f"{sent / total:.0%}")

    what = f"{count(devices, 'device')} for {count(len(dates), 'day')}"
    steps.begin(f"Simulating {what}")
    with steps.failing():
        fleet = simulate_fleet(devices, dates, seed)
        delivery = simulate(settings, fleet, dates, on_progress=tell)
    steps.end(f"{count(delivery.readings, 'reading')} of {what} simulated and sent")
    return fleet.labels


def _materialise(environment, dates, log, steps):
    """Make the tables in one Dagster run, and tell it asset by asset."""
    from pvfault_assets.requests import Request
    from pvfault_assets.run_apart import materialise_apart

    steps.begin("Dagster loaded")
    with steps.failing():
        materialise_apart(environment, Request(dates[0], dates[-1]), log, Watch(steps, len(dates), "Dagster: "))


def _read_verdicts(settings, dates, steps):
    """The faulty devices as the table has them, by device."""
    with steps.step("Verdicts read"):
        from pvfault_api.fleet import read_fleet

        return {faulty.device: faulty for faulty in read_fleet(settings, dates).faulty}


def _print_fleet(console, devices, labels, found):
    """Each device that is or is called faulty, and how many verdicts are right."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from pvfault_workshop.evaluation.scores import GROUPS

    injected = {label["deviceID"]: label for label in labels.to_pylist()}
    # 79 characters wide: no terminal breaks it.
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=0)
    for heading in ("device", "injected", "since (UTC)", "can be", "since (UTC)", "sure", ""):
        table.add_column(heading, no_wrap=True)
    for device in sorted(injected | found):
        truth, verdict = injected.get(device), found.get(device)
        is_right = truth and verdict and GROUPS[truth["fault"]] in _groups(verdict)
        table.add_row(
            device,
            *((truth["fault"], f"{truth['onset']:%m-%d %H:%M}") if truth else ("none", "")),
            *(("\nor ".join(_groups(verdict)), f"{verdict.onset:%m-%d %H:%M}") if verdict else ("none", "")),
            f"{verdict.confidence:.0%}" if verdict else "",
            "[green]✓[/green]" if is_right else "[red]✗[/red]",
        )
    console.print()
    console.print(table)
    detected = [(truth["fault"], found[device]) for device, truth in injected.items() if device in found]
    held = sum(GROUPS[truth] in _groups(verdict) for truth, verdict in detected)
    exact = sum(truth == verdict.fault for truth, verdict in detected)
    healthy = devices - len(injected)
    false = sum(device not in injected for device in found)
    console.print(
        f"Of {count(len(injected), 'faulty device')}, {len(detected)} were found.\n"
        f"In {held} of their sets is the truth (line_line and line_ground as one short), {exact} have its exact name.\n"
        f"Of {healthy} healthy ones, {false} {'was' if false == 1 else 'were'} called faulty.",
        highlight=False,
        soft_wrap=True,
    )


def _groups(verdict):
    """What a device can be, the most probable first; the two shorts, which are one circuit, as one."""
    from pvfault_workshop.evaluation.scores import GROUPS

    return list(dict.fromkeys(GROUPS[fault] for fault in verdict.candidates or (verdict.fault,)))


def _print_what_next(console, settings, dates, log):
    """Where everything is, and what to try now."""
    home = _short(settings.home)
    # Set-up leaves the command in .venv/bin, which need not be on the path.
    pvfault = "pvfault" if shutil.which("pvfault") else _short(Path(sys.argv[0]).absolute())
    console.print(
        f"""
Tables (Iceberg): {_short(settings.warehouse)}, catalog {_short(settings.catalog)}, log {_short(log)}
Dagster's page:   PVFAULT_HOME={home} PVFAULT_FIRST_DATE={dates[0]} PVFAULT_LAST_DATE={dates[-1]} make ui
                  (to materialise again there, first: PVFAULT_HOME={home} {pvfault} broker start)
Fleet page:       PVFAULT_HOME={home} make serve  (then http://localhost:8000)
Your own file:    {pvfault} classify FILE  (see {pvfault} classify --help)""",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


def _short(path: Path) -> str:
    """A path as one would type it here."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
