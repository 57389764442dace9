"""`pvfault derive`: find again, from simulated plants, numbers that stand in the code or the weights, and show both."""

from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from pvfault.errors import PvfaultError
from pvfault_cli.messages import read_settings

app = typer.Typer(no_args_is_help=True, help="Find numbers of code and weights again, and compare.")

Workers = Annotated[int, typer.Option(min=1, help="Processes that simulate.")]


@app.command()
def references(
    devices: Annotated[int | None, typer.Option(min=1, help="Healthy devices; 326 if not given.")] = None,
    workers: Workers = 2,
):
    """Find what is typical of healthy devices, and what the ridges of their references are good for.

    Prints the medians of the references of healthy simulated devices beside those in `pvfault/reference.py`, how close
    healthy hours come to what the days before promise, and how close they would with other ridges. Nothing is written:
    the trained weights hang on the numbers in the code.

    Example: `pvfault derive references --devices 326`
    """
    from pvfault_workshop.derive_references import BRIGHT, DEVICES, KNOWN_DAYS, derive_references, found_and_written

    devices = DEVICES if devices is None else devices
    with _progress(devices) as report:
        found = derive_references(devices, workers=workers, report=report)
    typer.echo(f"Medians over {found.devices} healthy devices, relative to their ratings:")
    _print(
        [(name, f"{written:.4f}", f"{again:.4f}") for name, written, again in found_and_written(found)],
        "coefficient", "in the code", "found",
    )  # fmt: skip
    voltage, current = found.within
    typer.echo(
        f"Half of {found.hours:,} healthy hours above {BRIGHT:g} W/m² are within {voltage:.2%} of the voltage and "
        f"{current:.2%} of the current that the days before promise.\n"
        "The same by other ridges, and by the days that are known:"
    )
    rows = [
        (name, f"{weight:g}{' (in the code)' if factor == 1 else ''}", *(f"{u:.2%} / {i:.2%}" for u, i in within))
        for name, weight, factor, within in found.ridges
    ]
    _print(rows, "ridge", "hours", *(f"{days} days" for days in KNOWN_DAYS))


@app.command()
def marks(
    devices: Annotated[
        int | None, typer.Option(min=24, help="Faulty devices, each with its healthy twin; 2,160 if not given.")
    ] = None,
    workers: Workers = 2,
    seed: Annotated[int, typer.Option(help="Of the perceptrons.")] = 1,
):
    """Choose the marks again, and find the constants of their scales.

    Measures 372 numbers of simulated training windows, leaves out again and again those that a perceptron misses least
    until as many are left as there are marks, and prints constants and choice beside those in `pvfault/marks.py`. Takes
    half an hour with the defaults. Nothing is written: the trained weights hang on the marks in the code.

    Example: `pvfault derive marks --devices 2160`
    """
    from pvfault.marks import MARKS
    from pvfault_workshop.derive_marks import CANDIDATES, DEVICES, derive_marks, found_and_written, others_for

    devices = DEVICES if devices is None else devices
    with _progress(devices + others_for(devices)) as report:
        found = derive_marks(devices, seed=seed, workers=workers, report=report, tell=_tell)
    typer.echo(f"Constants of the scales, from {found.windows:,} windows:")
    rows = [
        (name, *(f"{middle:.2g}, {unit:.2g}" for middle, unit in constants))
        for name, *constants in found_and_written(found)
    ]
    _print(rows, "mark", "in the code", "found")
    same = [name for name in found.chosen if name in MARKS]
    typer.echo(
        f"Of {len(CANDIDATES)} numbers, {len(found.chosen)} are left; {len(same)} of them are marks of the code."
    )
    typer.echo(f"Found and not in the code: {', '.join(sorted(set(found.chosen) - set(MARKS)))}")
    typer.echo(f"In the code and not found: {', '.join(sorted(set(MARKS) - set(found.chosen)))}")
    typer.echo("Cross-entropy of a perceptron, by what it sees, on windows that nothing was chosen by:")
    _print([(name, f"{loss:.4f}") for name, loss in found.losses.items()], "sees", "cross-entropy")


@app.command()
def estimates(
    devices: Annotated[
        int | None, typer.Option(min=24, help="Devices of each length of a file; 240 and 144 if not given.")
    ] = None,
):
    """Find what verdicts are worth where ratings are estimated, and what the network's probabilities mean there.

    Judges simulated files of 1 and 4 days without a registry, half of whose devices have a fault. From those at the
    validation sites come the weights of `pvfault/calibration.py` and the share of faults that hide behind a healthy
    look, of `pvfault/estimates.py`; those at the test sites tell how right each name is beside its confidence, and how
    many healthy days are called faulty or unsure. Nothing is written.

    Example: `pvfault derive estimates`
    """
    from pvfault.calibration import TERMS, WEIGHTS
    from pvfault.estimates import HIDDEN_FAULT
    from pvfault.faults import FAULTS
    from pvfault.lenet import load_classifier
    from pvfault_workshop import derive_estimates as derived
    from pvfault_workshop.simulation.splits import TEST, VALIDATION

    devices = derived.DEVICES if devices is None else dict.fromkeys(derived.DEVICES, devices)
    classifier = load_classifier(read_settings().model)
    seen = []
    for split in (VALIDATION, TEST):
        with _progress(sum(devices.values())) as report:
            seen.append(derived.see_files(classifier, devices, split=split, report=report))
    fitted, tested = seen
    together = derived.join(list(fitted.values()))
    weights = derived.fit_weights(together)
    hidden = derived.hidden_share(derived.call(together, weights, 0.0))
    typer.echo(f"What looks healthy hides a fault: {hidden:.3f}, in the code {HIDDEN_FAULT:.3f}")
    typer.echo("Weights of the faults, found / in the code:")
    rows = [
        (term, *(f"{found:.2f} / {written:.2f}" for found, written in zip(weights[:, at], WEIGHTS[:, at], strict=True)))
        for at, term in enumerate(TERMS)
    ]
    _print(rows, "term", *FAULTS[1:])
    for days, seen in tested.items():
        for weighed, name in ((None, "by the network alone"), (WEIGHTS, "with the weights in the code")):
            _print_judged(days, name, derived.call(seen, weighed, HIDDEN_FAULT))


def _print_judged(days, name, judged):
    """How right names are beside their confidence."""
    from pvfault_workshop import derive_estimates as derived

    healthy, alarms, unsure = derived.false_alarms(judged)
    typer.echo(
        f"Test sites, the last of {days} days, {name}: {len(judged.truth):,} windows, calibration error "
        f"{derived.calibration_error(judged):.3f}; of {healthy} healthy device-days {alarms} faulty, {unsure} unsure:"
    )
    rows = [(name, f"{n:,}", f"{sure:.3f}", f"{right:.3f}") for name, n, sure, right in derived.by_name(judged)]
    _print(rows, "called", "windows", "confidence", "right")


@app.command()
def open_strings(
    devices: Annotated[
        int | None, typer.Option(min=24, help="Faulty devices, each with its healthy twin; 1,032 if not given.")
    ] = None,
    workers: Workers = 2,
):
    """Find what hours that show open strings are, and how much that counts beside the network.

    Judges simulated windows of the validation sites, and prints what those with a whole number of strings missing are,
    the shares that stand in `pvfault/open_strings.py`, the cross-entropy by their weight, and the scores of all windows
    without and with them. Nothing is written.

    Example: `pvfault derive open-strings --devices 1032`
    """
    from pvfault.faults import FAULTS
    from pvfault.lenet import load_classifier
    from pvfault.open_strings import SHARES, WEIGHT
    from pvfault_workshop import derive_open_strings as derived

    devices = derived.DEVICES if devices is None else devices
    classifier = load_classifier(read_settings().model)
    with _progress(devices) as report:
        found = derived.derive_open_strings(classifier, devices, workers=workers, report=report)
    typer.echo(f"{found.counts.sum():,} of {found.windows:,} windows show open strings:")
    rows = [
        (fault, f"{count:,}", f"{own:.1f}", f"{written:.3f}", f"{share:.3f}")
        for fault, count, own, written, share in zip(
            FAULTS, found.counts, found.devices, SHARES, found.shares, strict=True
        )
    ]
    _print(rows, "they are", "windows", "devices", "share in the code", "found")
    rows = [
        (f"{weight:g}{' (in the code)' if weight == WEIGHT else ''}", f"{loss:.3f}")
        for weight, loss in found.cross_entropy.items()
    ]
    _print(rows, "weight", "cross-entropy")
    rows = [(name, *(f"{score:.4f}" for score in scores)) for name, scores in found.scores.items()]
    _print(rows, "all windows", "network", "with open strings")


@app.command()
def candidates(
    devices: Annotated[
        int | None,
        typer.Option(min=100, help="As of `pvfault train`; a tenth is calibrated on. As for the release if not given."),
    ] = None,
    workers: Workers = 2,
    write: Annotated[bool, typer.Option("--write", help="Put them into weights and model card.")] = False,
):
    """Find how probable a class must be to be in the set of candidates of an hour or a day.

    Found on the validation windows and scored on the test windows, which are those of `pvfault train` and kept with
    them. Prints what was found beside what the weights have, and how often the sets hold the truth. With --write the
    weights keep what was found: the same network, but another version, by which verdicts are to be made again.

    Example: `pvfault derive candidates --write`
    """
    from pvfault.candidates import CandidateSets, read_candidate_sets
    from pvfault.faults import FAULTS
    from pvfault.lenet import load_classifier
    from pvfault_workshop.candidates import calibrate, put_candidates
    from pvfault_workshop.evaluation.candidate_sets import score_candidates
    from pvfault_workshop.recipe import Recipe
    from pvfault_workshop.simulation.parts import prepare_parts
    from pvfault_workshop.simulation.splits import TEST, VALIDATION

    settings = read_settings()
    weights = settings.model
    if not isinstance(weights, Path):
        raise PvfaultError(f"PVFAULT_MODEL is {weights}; expected a file of this machine, as in models/lenet5.h5.")
    classifier = load_classifier(weights)
    names = (VALIDATION.name, TEST.name)
    wanted = Recipe.devices if devices is None else devices
    with _progress(None) as tell:
        parts = prepare_parts(
            wanted, settings.training, names=names, workers=workers, report=lambda _part, _count, done: tell(done)
        )
    probabilities = {name: classifier.predict(parts[name].images) for name in names}
    least = calibrate(probabilities[VALIDATION.name], parts[VALIDATION.name])
    found = CandidateSets(classifier.version, *least)
    kept = read_candidate_sets(weights)
    rows = [
        (unit, fault, "" if kept is None else f"{getattr(kept, unit)[position]:.4f}", f"{numbers[position]:.4f}")
        for unit, numbers in (("windows", found.windows), ("days", found.days))
        for position, fault in enumerate(FAULTS)
    ]
    _print(rows, "of", "class", "in the weights", "found")
    scores = score_candidates(found, probabilities[TEST.name], parts[TEST.name])
    for unit, of_unit in scores.items():
        rows = [
            (s.name, f"{s.n:,}", f"{s.coverage:.3f}", f"{s.by_device:.3f}", f"{s.size:.2f}", f"{s.circuits:.2f}")
            for s in of_unit
        ]
        _print(rows, f"sets of {unit}", "number", "truth in the set", "by device", "size", "circuits")
    if write:
        typer.echo(f"{weights}: version {put_candidates(weights, least, scores)}")


def _tell(line):
    typer.echo(line, err=True)


@contextmanager
def _progress(devices):
    """A progress bar of simulated devices."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("Simulating", total=devices)
        yield lambda done: progress.update(task, completed=done)


def _print(rows, *headings):
    """A table with as wide columns as they need."""
    lines = [headings, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    typer.echo("")
