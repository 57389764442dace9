"""`pvfault check`: what is published, held against what it is to be."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from xml.etree import ElementTree

import typer

from pvfault.errors import PvfaultError
from pvfault.settings import Settings
from pvfault_cli.dates import parse_dates
from pvfault_cli.messages import count, prepare_output, read_settings

if TYPE_CHECKING:
    from pvfault_api.checking import Checked

GOOD, FAILED = 0, 1


def check(
    dates: Annotated[
        str, typer.Option("--date", metavar="D|D..D", help="A date, or the first and the last of a range.")
    ],
    assets: Annotated[
        list[str] | None, typer.Option("--asset", help="A table, `device_registry` or `lenet_model`; all by default.")
    ] = None,
    fail_on: Annotated[
        Literal["warn", "error"], typer.Option(help="What exit code 1 is for: any failed check, or errors alone.")
    ] = "error",
    junit: Annotated[Path | None, typer.Option(help="Write the results as JUnit XML, for CI.")] = None,
):
    """Check what is published of some dates, without a run and without Spark.

    The same checks are asked by the jobs before they publish a date, and by Dagster. An error is what a job does not
    publish. Exit code 0 if all is good, 1 if a check failed, 2 if something could not be evaluated.

    Example: `pvfault check --date 2024-06-01..2024-06-07 --fail-on warn --junit checks.xml`
    """
    from pvfault.checks.assets import CHECKS
    from pvfault_api.checking import check_dates
    from pvfault_api.checking_sources import check_sources

    if unknown := [asset for asset in assets or () if asset not in CHECKS]:
        raise PvfaultError(f"--asset is {unknown[0]!r}; expected one of {', '.join(CHECKS)}.")
    if junit:
        prepare_output(junit, "an XML file", "checks.xml")
    settings = read_settings()
    found = check_sources(settings, assets or list(CHECKS), lambda: _accepted(settings))
    found += check_dates(settings, parse_dates(dates), assets or list(CHECKS))
    _print(found)
    if junit:
        _write_junit(found, junit)
    failed = [one for one in found if not one.result.passed]
    errors = [one for one in failed if one.result.blocking]
    typer.echo(
        f"{count(len(found), 'check')}: {count(len(errors), 'error')}, "
        f"{count(len(failed) - len(errors), 'warning')}.", err=True
    )  # fmt: skip
    raise typer.Exit(FAILED if (failed if fail_on == "warn" else errors) else GOOD)


def _accepted(settings: Settings) -> dict[str, float]:
    """The scores of the last network that Dagster has accepted on this machine."""
    if not (settings.home / "dagster").is_dir():
        return {}

    from pvfault_assets.checks.network import accepted_scores
    from pvfault_assets.instance import open_instance

    with open_instance(settings) as instance:
        return accepted_scores(instance)


def _print(found: Sequence["Checked"]) -> None:
    """A line a check; of what passed, what was found is told too."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in ("date", "asset", "check"):
        table.add_column(heading, no_wrap=True)
    table.add_column("")
    table.add_column("found", overflow="fold")
    for one in found:
        mark = "[green]✓[/]" if one.result.passed else "[red]error[/]" if one.result.blocking else "[yellow]warn[/]"
        table.add_row(str(one.day or ""), one.asset, one.result.name, mark, one.result.summary)
    # A terminal wraps what is long; a file or a pipe has it in one line.
    console = Console()
    if not console.is_terminal:
        console.width = 10_000
    console.print(table)


def _write_junit(found: Sequence["Checked"], path: Path) -> None:
    """Write one suite for each date and asset, as most CI services read it.

    A warning that fails is a failure of type `warn`, so that whoever reads the file sees it, whatever the exit code.
    """
    suites = ElementTree.Element("testsuites", name="pvfault check")
    by_suite: dict[str, ElementTree.Element] = {}
    for one in found:
        name = f"{one.asset} {one.day}" if one.day else one.asset
        if name not in by_suite:
            by_suite[name] = ElementTree.SubElement(suites, "testsuite", name=name)
        case = ElementTree.SubElement(by_suite[name], "testcase", classname=name, name=one.result.name)
        if one.result.passed:
            ElementTree.SubElement(case, "system-out").text = one.result.summary
        else:
            kind = "error" if one.result.blocking else "warn"
            failure = ElementTree.SubElement(case, "failure", type=kind, message=one.result.summary)
            failure.text = one.result.summary
    for suite in by_suite.values():
        cases = list(suite)
        suite.set("tests", str(len(cases)))
        suite.set("failures", str(sum(case.find("failure") is not None for case in cases)))
        suite.set("errors", "0")
    ElementTree.indent(suites)
    ElementTree.ElementTree(suites).write(path, encoding="utf-8", xml_declaration=True)
