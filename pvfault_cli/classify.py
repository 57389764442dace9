"""`pvfault classify`: files of readings to verdicts, without Kafka or Spark."""

from pathlib import Path
from typing import Annotated

import typer

from pvfault.errors import PvfaultError
from pvfault_cli.file_options import FilesArgument, takes_choices
from pvfault_cli.messages import count, prepare_output, print_table, read_settings

NOTHING_JUDGED = 3
# A terminal shows about this many rows before the first ones are gone.
DAYS_SHOWN = 25
HOURS_OF = 2
FINDINGS_SHOWN = 5


@takes_choices
def classify(
    files: FilesArgument,
    choices,
    registry: Annotated[
        Path | None, typer.Option(help="CSV of devices with deviceID, rated_voltage, rated_current; else estimated.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="OUT.parquet", help="Write the hours' verdicts here.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="REPORT.html", help="Write a page of curves, hours and reasons here.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")] = False,
    model: Annotated[Path | None, typer.Option(help="Weights of the network; else PVFAULT_MODEL.")] = None,
):
    """Tell the fault of each device, day by day and hour by hour, from files of readings.

    Faults come first, then what could not be judged and why; healthy device-days are counted. Readings that cannot be
    what they are taken for are refused, doubtful ones are marked. Exit codes: 0 judged, 2 the files, options or
    readings are to be mended, 3 nothing could be judged. `pvfault inspect FILE` shows what a file was taken for.

    Example: `pvfault classify plant.csv --map voltage=V_DC --device INV0000001 --html report.html`
    """
    from dataclasses import replace

    from rich.console import Console

    from pvfault.credibility import why_in_doubt
    from pvfault.crew import Crew, code_devices, count_cores
    from pvfault.lenet import load_classifier_for
    from pvfault.registry import EMPTY_REGISTRY, read_registry
    from pvfault_files.pace import why_too_slow
    from pvfault_files.reader import read_files
    from pvfault_report.curves import ReadingsByDay
    from pvfault_report.days import tell_days
    from pvfault_report.document import describe_input, write_document, write_rows
    from pvfault_report.page import write_page

    if output is not None:
        prepare_output(output, "a Parquet file", "predictions.parquet")
    if html is not None:
        prepare_output(html, "a page", "report.html", option="--html")
    devices = read_registry(registry) if registry else EMPTY_REGISTRY
    found = read_files(files, replace(choices, device_ids=devices.device_ids))
    if too_slow := why_too_slow(found):
        raise PvfaultError(too_slow)
    found = replace(found, table=code_devices(found.table))
    readings = ReadingsByDay(found.table)
    with Crew(found.table, devices, count_cores()) as crew:
        with Console(stderr=True).status(f"Examining {len(found.table):,} readings"):
            findings = crew.examine()
        _refuse(findings, found.names)
        classifier = load_classifier_for(read_settings(model=model).model, readings.windows_at_most)
        with Console(stderr=True).status(f"Judging {len(found.table):,} readings"):
            judged = crew.judge(classifier, why_in_doubt(findings))
    days = tell_days(judged, readings, found.names, findings)
    about = describe_input(files, found, devices, classifier.version)
    if output is not None:
        write_rows(output, judged, found.names, days)
    if html is not None:
        write_page(html, about, judged, days, readings, findings)
    if json:
        typer.echo(write_document(about, judged, days, findings))
    else:
        _print_all(about, judged, days, findings)
    for written in filter(None, (output, html)):
        typer.echo(f"Written: {written}", err=json)
    if all(day.verdict["fault"] is None for day in days):
        raise typer.Exit(NOTHING_JUDGED)


def _refuse(findings, names):
    """End where readings are certainly not what they are taken for."""
    certain = [each for each in findings if each.certain]
    if certain:
        told = [f"{_of(each, names)}: {each.sentence}. To mend it: {each.remedy}" for each in certain[:FINDINGS_SHOWN]]
        more = [f"… and {len(certain) - FINDINGS_SHOWN:,} more."] if len(certain) > FINDINGS_SHOWN else []
        raise PvfaultError("these readings cannot be what they are taken for.\n" + "\n".join([*told, *more]))


def _of(finding, names):
    """Whose finding it is, and of when."""
    first, last = finding.dates[0], finding.dates[-1]
    return f"{names.get(finding.device, finding.device)} {first}{'' if first == last else f' to {last}'}"


def _print_all(about, judged, days, findings):
    """What was read, what is doubtful, and the verdicts, the most urgent first."""
    from pvfault_report.days import FAULTY, STATES, UNJUDGED, UNSURE

    names = about["devices"]
    typer.echo(
        f"{count(about['readings'], 'reading')} of {count(len(names), 'device')}, {about['first']} to {about['last']} "
        f"(UTC). {about['ratings']}"
    )
    for remark in about["remarks"]:
        typer.echo(f"  {remark}")
    for finding in findings:
        typer.secho(f"Doubtful: {_of(finding, names)}: {finding.sentence}. To mend it: {finding.remedy}", fg="yellow")
    of_state = {state: [day for day in days if day.state == state] for state in STATES}
    typer.echo(
        f"{count(len(days), 'device-day')}: "
        + ", ".join(f"{len(own):,} {state}" for state, own in of_state.items() if own)
    )
    _print_faults(of_state[FAULTY])
    for day in days if len(days) == 1 else of_state[FAULTY][:HOURS_OF]:
        _print_hours(judged, day)
    for state in (UNSURE, UNJUDGED):
        for day in of_state[state][:DAYS_SHOWN]:
            typer.echo(f"{day.name} {day.date}: {state}, {day.reason}")
        _print_rest(of_state[state], f"{state} device-days")
    in_part = [day for day in days if day.left_out and day.state != UNJUDGED]
    for day in in_part[:DAYS_SHOWN]:
        typer.echo(f"{day.name} {day.date}: hours that could not be judged: {day.left_out}")
    _print_rest(in_part, "device-days judged in part")


def _print_faults(days):
    """Faulty device-days as a table."""
    if not days:
        return
    print_table(
        [
            (
                day.name + ("\n(doubtful)" if day.findings else ""),
                str(day.date),
                "\nor ".join(day.verdict["candidates"] or [day.verdict["fault"]]),
                f"{day.verdict['onset']:%H:%M}",
                day.verdict["faulty_hours"],
                f"{day.verdict['confidence']:.2f}",
                "" if day.verdict["lost_kwh"] is None else f"{day.verdict['lost_kwh']:.2f}",
            )
            for day in days[:DAYS_SHOWN]
        ],
        "device", "date", "fault", "since", "hours", "confidence", "lost kWh",
    )  # fmt: skip
    _print_rest(days, "faulty device-days")


def _print_hours(judged, day):
    """The judged hours of a device-day as a table."""
    from pvfault_report.days import hours_of

    typer.echo(f"Hours of {day.name} on {day.date}:")
    rows = [hour for hour in hours_of(judged, day.row).to_pylist() if hour["quality"] not in ("dark", "missing")]
    print_table(
        [
            (
                f"{hour['window_start']:%H:%M}",
                _shown(hour),
                "" if hour["confidence"] is None else f"{hour['confidence']:.2f}",
                "" if hour["mean_power"] is None else f"{hour['mean_power']:,.0f}",
                "" if hour["mean_irradiance"] is None else f"{hour['mean_irradiance']:,.0f}",
            )
            for hour in rows
        ],
        "from", "shows", "confidence", "power W", "irradiance W/m²",
    )  # fmt: skip


def _shown(hour):
    """What an hour is called, with what else it can be; why not, if it is called nothing."""
    return "\nor ".join(hour["candidates"] or [hour["fault"] or hour["quality"]])


def _print_rest(days, what):
    """How many are not shown."""
    if len(days) > DAYS_SHOWN:
        typer.echo(f"… and {len(days) - DAYS_SHOWN:,} more {what}; --json, --html and -o have them.")
