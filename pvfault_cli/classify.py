"""`pvfault classify`: a file of readings to predictions, without Kafka or Spark."""

from pathlib import Path
from typing import Annotated

import typer

from pvfault_cli.messages import prepare_output, read_settings
from pvfault_cli.replay import DeviceOption, MapOption, TimezoneOption, parse_map

# A terminal shows about this many windows before the first ones are gone.
WINDOWS_SHOWN = 40


def classify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV or Parquet file of readings.")],
    registry: Annotated[
        Path | None, typer.Option(help="CSV of devices with deviceID, rated_voltage, rated_current; else estimated.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="OUT.parquet", help="Write the predictions here.")
    ] = None,
    model: Annotated[Path | None, typer.Option(help="Weights of the network; else PVFAULT_MODEL.")] = None,
    columns: MapOption = None,
    device: DeviceOption = None,
    timezone: TimezoneOption = "UTC",
):
    """Tell the fault of each hour of each device in a file of readings.

    Ratings of devices that are not registered are estimated from the readings; a fault that lasts all day is then
    hard to see, so name a registry if there is one.

    Example: `pvfault classify plant.csv --map voltage=V_DC --device INV0000001 -o predictions.parquet`
    """
    import pyarrow.parquet as pq
    from rich.console import Console

    from pvfault.classify import classify_readings
    from pvfault.lenet import load_classifier
    from pvfault_files.reader import read_readings
    from pvfault.registry import EMPTY_REGISTRY, read_registry

    if output is not None:
        prepare_output(output, "a Parquet file", "predictions.parquet")
    devices = read_registry(registry) if registry else EMPTY_REGISTRY
    readings = read_readings(file, columns=parse_map(columns or []), device=device, timezone=timezone)
    classifier = load_classifier(read_settings(model=model).model)
    with Console(stderr=True).status(f"Classifying {len(readings.table):,} readings"):
        predictions = classify_readings(readings.table, devices, classifier)
    if output is not None:
        pq.write_table(predictions, output, compression="zstd")
    _print_summary(readings, predictions, devices)
    _print_windows(Console(), predictions)
    if output is not None:
        typer.echo(f"{len(predictions):,} rows are in {output}")


def _print_summary(readings, predictions, registry):
    """How much was read and how much of it can be judged."""
    import pyarrow.compute as pc

    from pvfault.readings import DEVICE_ID

    devices = pc.unique(predictions[DEVICE_ID]).to_pylist()
    unregistered = sorted(set(devices) - set(registry.devices))
    counts = {count["values"].as_py(): count["counts"].as_py() for count in pc.value_counts(predictions["quality"])}
    typer.echo(f"{len(readings.table):,} readings of {len(devices):,} devices; windows of an hour, UTC:")
    typer.echo("  " + ", ".join(f"{n:,} {quality}" for quality, n in sorted(counts.items())))
    if readings.rows_without_time:
        typer.echo(f"  {readings.rows_without_time:,} rows had no timestamp, so they are no readings")
    if unregistered:
        typer.echo(
            f"  ratings estimated for {len(unregistered):,} unregistered devices: {', '.join(unregistered[:3])} …"
        )


def _print_windows(console, predictions):
    """The judged windows as a table, as many as a terminal shows."""
    import pyarrow.compute as pc
    from rich.table import Table

    judged = predictions.filter(pc.is_valid(predictions["fault"]))
    table = Table("deviceID", "window_start (UTC)", "fault", "confidence", "next most probable")
    for row in judged.slice(0, WINDOWS_SHOWN).to_pylist():
        runner_up, probability = sorted(row["probabilities"].items(), key=lambda item: -item[1])[1]
        table.add_row(
            row["deviceID"],
            f"{row['window_start']:%Y-%m-%d %H:%M}",
            row["fault"],
            f"{row['confidence']:.2f}",
            f"{runner_up} {probability:.2f}",
        )
    console.print(table)
    if len(judged) > WINDOWS_SHOWN:
        typer.echo(f"… and {len(judged) - WINDOWS_SHOWN:,} more judged windows; -o FILE.parquet writes all rows.")
