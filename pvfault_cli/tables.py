"""`pvfault tables`: what there is of each table, and what keeps it well.

What only looks needs no Spark. What writes starts it in this process, on the tables of this machine; beside Dagster's
runs that is safe, each waits for its turn.
"""

import json
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from pvfault.errors import PvfaultError
from pvfault.settings import AWS
from pvfault_cli.dates import parse_dates
from pvfault_cli.messages import count, print_table, read_settings

app = typer.Typer(invoke_without_command=True)

# Each is made of those before it.
CHAIN = ("readings", "scalograms", "predictions", "device_days")

DateOption = Annotated[
    str | None, typer.Option("--date", metavar="D|D..D", help="A date, or the first and the last of a range.")
]


@app.callback()
def tables(context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="List them as JSON.")] = False):
    """Look at the tables and look after them.

    Without a command, they are listed: size, rows, files, snapshots, and the dates that they have. Needs no Spark.

    Example: `pvfault tables`
    """
    if context.invoked_subcommand is None:
        _list(as_json)


@app.command()
def verify(dates: DateOption = None):
    """Read every file of some dates, or of all, and name each that is damaged or gone. Needs no Spark.

    Of each file the checksums of its pages and the number of its rows are looked at. Exit code 0 if all are whole, 1 if
    one is not, 2 if that could not be found out.

    Example: `pvfault tables verify --date 2024-06-01..2024-06-30`
    """
    from rich.filesize import decimal

    from pvfault_api.verifying import verify_dates

    verified = verify_dates(read_settings(), parse_dates(dates) if dates else ())
    for damage in verified.damages:
        typer.echo(damage.found)
    looked_at = f"{count(verified.files, 'file')} ({decimal(verified.bytes)})"
    if verified.damages:
        typer.echo(f"{count(len(verified.damages), 'file')} damaged or gone, {looked_at} looked at.")
        raise typer.Exit(1)
    typer.echo(f"{looked_at}: all are whole.")


@app.command()
def maintain(
    apply: Annotated[
        bool, typer.Option("--apply", help="Do it; without, it is only told what there is to do.")
    ] = False,
):
    """Expire snapshots older than 5 days, delete files that no table knows, and bring small files together.

    Rows stay as they are, and running jobs keep what they have written and staged. What was refused can be looked at
    for 5 days as well. In Dagster the same is the asset `table_upkeep`, with a weekly schedule that is off until
    started; on AWS it is an EMR job by that alone.

    Example: `pvfault tables maintain`
    """
    with _spark(read_settings()) as spark:
        from spark_jobs.maintain_tables import maintain as maintain_tables

        done = maintain_tables(spark, apply=apply)
    rows = [(each.table, each.snapshots, each.files_of_snapshots if apply else "", each.orphans, each.data_files,
             each.manifests) for each in done]  # fmt: skip
    print_table(rows, "table", "snapshots", "their files", "orphans", "small files", "small manifests")
    typer.echo("Done." if apply else "Nothing of this is done yet; `pvfault tables maintain --apply` does it.")


@app.command()
def rollback(
    day: Annotated[str, typer.Option("--date", metavar="D", help="The date that goes back.")],
    table: Annotated[str, typer.Option(help="Of which table; `readings` take `quarantine` with them.")] = "readings",
    as_of: Annotated[
        str | None,
        typer.Option(
            metavar="SNAPSHOT|TIME",
            help="A snapshot's id, or a time as in 2024-06-02T08:00 (UTC); else the last state that was another.",
        ),
    ] = None,
    allow_fewer: Annotated[
        bool, typer.Option("--allow-fewer", help="Also if devices then have fewer readings than now.")
    ] = False,
):
    """Write a date's rows of an older snapshot again, as a new making that passes the same audits.

    The other dates stay as they are. What is made of the table has to be made again afterwards; it is named.

    Example: `pvfault tables rollback --date 2024-06-01 --as-of 2024-06-02T08:00`
    """
    if table not in CHAIN:
        raise PvfaultError(f"--table is {table!r}; expected one of {', '.join(CHAIN)}.")
    of_day = _one_date(day)
    moment = _parse_as_of(as_of) if as_of else None
    settings = read_settings()
    with _spark(settings) as spark:
        from pvfault.tables import table_named
        from spark_jobs.job import JobConfig
        from spark_jobs.rolling_back import roll_back

        config = JobConfig.from_settings(settings, [of_day], allow_fewer=allow_fewer)
        report = roll_back(spark, config, table_named(table), of_day, moment)
    _print_published(table, report, f"as in snapshot {report.figures['rolled_back_to']}")


@app.command("release-quarantine")
def release_quarantine(
    day: Annotated[str, typer.Option("--date", metavar="D", help="The date as `quarantine` has it.")],
):
    """Put quarantined records of a date that are readings by now among the readings of their dates.

    For records that an earlier release could not decode and that the topic does not have any more; as long as it has
    them, materialise the date again instead. What is still no reading stays in `quarantine`.

    Example: `pvfault tables release-quarantine --date 2024-06-01`
    """
    of_day, settings = _one_date(day), read_settings()
    with _spark(settings) as spark:
        from spark_jobs.job import JobConfig
        from spark_jobs.releasing import release

        released = release(spark, JobConfig.from_settings(settings, [of_day]), of_day)
    if released.stopped_by:
        raise PvfaultError(f"`quarantine` and `readings` stay as they are: {released.stopped_by}")
    typer.echo(
        f"`quarantine` of {of_day}: {count(released.readings, 'record')} are readings now, {released.left:,} are not."
    )
    for report in released.dates:
        typer.echo(f"`readings` of {report.day}: {count(report.rows, 'row')}, snapshot {report.snapshot_id}.")
    if released.dates:
        dates = ", ".join(str(report.day) for report in released.dates)
        typer.echo(f"Materialise next, of {dates}: {', '.join(CHAIN[1:])}.")


def _list(as_json):
    from pvfault_api.inventory import list_tables

    states = list_tables(read_settings())
    if as_json:
        typer.echo(json.dumps([asdict(state) for state in states], default=lambda value: value.isoformat(), indent=2))
        return
    from rich.filesize import decimal

    rows = [
        (
            state.name,
            decimal(state.bytes),
            state.rows,
            state.files,
            state.snapshots,
            state.dates,
            *(day or "" for day in (state.first_date, state.last_date)),
        )
        for state in states
    ]
    print_table(rows, "table", "size", "rows", "files", "snapshots", "dates", "oldest", "newest")


@contextmanager
def _spark(settings):
    """A session on the tables of this machine, and its errors in words."""
    from pvfault.catalog_file import find_tables_with_rows

    if settings.environment == AWS:
        raise PvfaultError(
            "PVFAULT_ENV is 'aws', where Spark runs on EMR Serverless and not in this process; for upkeep materialise "
            "`table_upkeep` in Dagster. `pvfault tables` and `pvfault tables verify` need no Spark"
        )
    if not find_tables_with_rows(settings):
        raise PvfaultError(
            f"there are no tables in {settings.warehouse}; materialise a date first, or point PVFAULT_HOME at the "
            "folder that has them"
        )
    from spark_jobs.session import start_session
    from spark_jobs.transient import raised_as_transient

    with raised_as_transient():
        session = start_session(settings)
        try:
            yield session
        finally:
            session.stop()


def _one_date(text):
    dates = parse_dates(text)
    if len(dates) > 1:
        raise PvfaultError(f"--date is {text}; expected one date. Do this for one after the other.")
    return dates[0]


def _parse_as_of(text):
    """A snapshot's id as a number, or a moment."""
    if text.isdecimal():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise PvfaultError(
            f"--as-of is {text!r}; expected the id of a snapshot, or a time as in 2024-06-02T08:00 (UTC)."
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _print_published(table, report, how):
    """Say what a date is now and what is to be made of it, or why it stays as it was."""
    if report.stopped_by:
        raise PvfaultError(f"`{table}` of {report.day} stays as it is: {report.stopped_by}")
    typer.echo(f"`{table}` of {report.day} is {how}: {count(report.rows, 'row')}, snapshot {report.snapshot_id}.")
    for audit in report.audits:
        if not audit.passed:
            typer.echo(f"{audit.name}: {audit.summary}", err=True)
    if made_of_it := CHAIN[CHAIN.index(table) + 1 :]:
        typer.echo(f"Materialise next, of the same date: {', '.join(made_of_it)}.")
