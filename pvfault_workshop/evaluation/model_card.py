"""The model card: what a network was trained on, how right it is, and what it is not good for.

The card's tables, and the section of an evaluation; its text is the template `model_card.md.j2`.
"""

from pathlib import Path

import numpy as np

from pvfault.errors import PvfaultError
from pvfault.faults import FAULTS, NONE
from pvfault.tables import CANDIDATES_HOLD
from pvfault_workshop.evaluation.candidate_sets import SetScore
from pvfault_workshop.evaluation.ceiling import Ceiling
from pvfault_workshop.evaluation.comparison import GROUPED, METRICS
from pvfault_workshop.evaluation.goals import baselines_ahead, goals, quieter_baselines
from pvfault_workshop.evaluation.measured import MeasuredDay, score_labels, worst_days
from pvfault_workshop.evaluation.plan import MODEL
from pvfault_workshop.evaluation.run import Evaluation
from pvfault_workshop.evaluation.same_circuits import WOULD_HELP, short_rows
from pvfault_workshop.evaluation.scores import GROUP_NAMES
from pvfault_workshop.evaluation.templates import render
from pvfault_workshop.evaluation.textbook_scores import TALLY_HEADINGS, Textbook
from pvfault_workshop.evaluation.transfer import METRICS as PLANT_METRICS
from pvfault_workshop.evaluation.transfer import PlantScores, score_own_test
from pvfault_workshop.publishing import card_of, replace_text, version_named
from pvfault_workshop.simulation.faults import LEAST_SEVERITY
from pvfault_workshop.simulation.labelling import LEAST_EFFECT
from pvfault_workshop.simulation.literature_array import is_reference_size
from pvfault_workshop.simulation.splits import TEST, TRAINING, VALIDATION
from pvfault_workshop.teacher import SHARE
from pvfault_workshop.training import LITERATURE_WEIGHT

_BEGIN, _END = "<!-- pvfault evaluate -->", "<!-- end of pvfault evaluate -->"
_BEGIN_SETS, _END_SETS = "<!-- sets of candidates -->", "<!-- end of sets of candidates -->"


def write_card(scores, *, version, command, training, validation, test, minutes):
    """Text of a model card.

    Parameters
    ----------
    scores : Scores
    version : str
    command : str
        That repeats the training.
    training, validation, test : LabelledWindows
    minutes : float
        Training and scoring took.

    Returns
    -------
    str
        Markdown.
    """
    windows, days = scores.windows, scores.days
    alarms = scores.false_alarms
    grouped = [["windows", *_format(windows["grouped_f1"])], ["device-days", *_format(days["grouped_f1"])]]
    parts = ((TRAINING, training), (VALIDATION, validation), (TEST, test))
    return render(
        "model_card.md.j2",
        begin=_BEGIN,
        end=_END,
        version=version,
        classes=", ".join(FAULTS),
        overall=_overall(scores),
        false_days=f"{alarms.count} of {alarms.days:,}",
        rate=f"{alarms.a_year:.1f} a device-year; with 95 % confidence at most {alarms.at_most:.1f}",
        by_class=_table(["F1", *FAULTS], [["windows", *_format(windows["f1"])], ["device-days", *_format(days["f1"])]]),
        grouped=_table(["F1", *GROUP_NAMES], grouped),
        window_confusion=_confusion(windows["confusion"]),
        day_confusion=_confusion(days["confusion"]),
        found=_table(
            ["severity", "device-days", "found"],
            [[f"{low:.0%} to {high:.0%}", str(n), f"{share:.0%}"] for low, high, n, share in scores.found],
        ),
        sets=_sets_section(scores.sets),
        data=_table(
            ["", "device-days", "windows", *FAULTS, "sites", "dates from"], [_data_row(*part) for part in parts]
        ),
        least_effect=f"{LEAST_EFFECT:.0%}",
        least_severity=f"{LEAST_SEVERITY:.0%}",
        reference_share=f"{np.mean(is_reference_size(training.modules, training.strings)):.0%}",
        label_share=f"{1 - SHARE:.1f}",
        trees_share=f"{SHARE:.1f}",
        literature_weight=f"{LITERATURE_WEIGHT:.1f}",
        command=command,
        minutes=f"{minutes:.0f}",
    )


def with_sets(card: str, sets: dict[str, list[SetScore]]) -> str:
    """Text of a card with these scores of its sets, in the place of those of earlier ones.

    Parameters
    ----------
    card : str
    sets : dict of str to list of SetScore
        On the test windows, as `score_candidates` gives them.

    Returns
    -------
    str
    """
    before, begin, rest = card.partition(_BEGIN_SETS)
    _, end, after = rest.partition(_END_SETS)
    if begin and end:
        return f"{before}{_sets_section(sets)}{after}"
    before, heading, after = card.partition("\n## Evaluation\n")
    return f"{before}\n{_sets_section(sets)}\n{heading}{after}"


def _sets_section(sets):
    """What a card says of sets, between its marks."""
    return "\n\n".join([_BEGIN_SETS, *_sets_paragraphs(sets), _END_SETS])


def _sets_paragraphs(sets):
    """What the card says of sets."""
    yield (
        f"Sets of candidates: found so that, of each class, the set holds the truth in {CANDIDATES_HOLD:.0%} of the "
        "windows of a new device, and on as many of its days; more, where the one name alone is right more often. By "
        "device, each one counts once, whatever its number of windows. In brackets, 95 % confidence over devices. Size "
        "is the mean number of names; of circuits, where the two shorts count once."
    )
    columns = ("number", "truth in the set", "by device", "size", "circuits", "named exactly", "shorts as one")
    for unit, scores in sets.items():
        yield _table([f"sets of {unit}", *columns], [_set_row(score) for score in scores])


def _set_row(score):
    """One class of sets."""
    shares = (f"{share:.3f}" for share in (score.named, score.named_group))
    sizes = (f"{size:.2f}" for size in (score.size, score.circuits))
    return [score.name, f"{score.n:,}", f"{score.coverage:.3f}", f"{score.by_device:.3f}", *sizes, *shares]


def add_evaluation(
    weights: Path, evaluation: Evaluation, ceiling: Ceiling | None, *, command: str, days: list[MeasuredDay],
    transfer: list[PlantScores], textbook: Textbook | None, archives: list[PlantScores],
) -> Path:  # fmt: skip
    """Put an evaluation's figures into the model card of weights, in the place of those of an earlier one.

    Parameters
    ----------
    weights : Path
        That were evaluated. A card that is not there begins with this.
    evaluation : Evaluation
    ceiling : Ceiling or None
        Found by this evaluation or kept from another one.
    command : str
        That makes it again.
    days : list of MeasuredDay
    transfer : list of PlantScores
        Empty if no plants of another simulation were given.
    textbook : Textbook or None
    archives : list of PlantScores
        The same days as archives keep them; empty if none were asked for.

    Returns
    -------
    Path
        Of the card.

    Raises
    ------
    PvfaultError
        If the card is of another version than was evaluated.
    """
    present, path = card_of(weights), weights.with_suffix(".md")
    if version_named(present) not in (None, evaluation.version):
        raise PvfaultError(
            f"{present} is the card of version {version_named(present)}, and version {evaluation.version} was "
            "evaluated; put the card of these weights there, or none, and evaluate again"
        )
    card = present.read_text(encoding="utf-8") if present.exists() else _begin_card(path, evaluation.version)
    before, begin, rest = card.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not (begin and end):
        before, after = f"{card.rstrip()}\n\n## Evaluation\n\n", "\n"
    paragraphs = [*_evaluation_paragraphs(evaluation, ceiling, command)]
    if transfer:
        paragraphs += _transfer_paragraphs([score_own_test(evaluation), *transfer])
    if archives:
        paragraphs += _archive_paragraphs(archives)
    if textbook:
        paragraphs += _textbook_paragraphs(textbook)
    if days:
        paragraphs += _measured_paragraphs(days)
    section = "\n\n".join(paragraphs)
    replace_text(path, f"{before}{_BEGIN}\n\n{section}\n\n{_END}{after}")
    return path


def _begin_card(path, version):
    """A card of nothing but an evaluation."""
    return f"# Model card: {path.stem}, version {version}\n\n{_BEGIN}\n{_END}\n"


def _evaluation_paragraphs(evaluation, ceiling, command):
    """What the card says of an evaluation."""
    plan = evaluation.plan
    beside = "two baselines and a ceiling" if ceiling else "two baselines"
    yield (
        f"Of version {evaluation.version}, on {plan.devices:,} simulated devices of which half are faulty, beside "
        f"{beside} (docs/evaluation.md says what these are). In brackets, 95 % confidence over devices."
    )
    yield f"    {command}"
    with_ceiling = ["the ceiling has"] if ceiling else []
    yield _table(
        ["to reach", "found", *with_ceiling, ""],
        [
            [g.text, g.found, *([g.ceiling] if with_ceiling else []), "reached" if g.reached else "not reached"]
            for g in goals(evaluation, ceiling.figures if ceiling else {})
        ],
    )
    yield from _limits_paragraphs(evaluation.limits)
    for column in evaluation.columns:
        if column.breakdown == "all":
            judges = list(column.scores[GROUPED.name])
            rows = [[judge, *(f"{column.scores[m.name][judge]}" for m in METRICS)] for judge in judges]
            yield _table([f"{column.n:,} {column.unit}", *(metric.name for metric in METRICS)], rows)
    yield _table(
        ["", "healthy device-days", "called faulty", "a device-year", "at most"],
        [
            [judge, f"{a.days:,}", str(a.count), f"{a.a_year:.2f}", f"{a.at_most:.2f}"]
            for judge, a in evaluation.false_alarms.items()
        ],
    )
    if evaluation.sets:
        yield from _sets_paragraphs(evaluation.sets)
    behind = baselines_ahead(evaluation)
    if behind:
        sure = sum(ahead.sure for ahead in behind)
        worst = behind[0]
        yield (
            f"A baseline scores higher than the network in {len(behind)} comparisons, in {sure} of them beyond doubt; "
            f"the most ({-worst.difference.value:.3f}) {worst.judge} in {worst.metric}, {worst.column.breakdown} "
            f"{worst.column.name}, {worst.column.unit}."
        )
    else:
        yield "No baseline's F1 is higher than the network's, in any column."
    for baseline in quieter_baselines(evaluation):
        yield f"{baseline.capitalize()}."
    yield from [*(ceiling.describe(evaluation.version) if ceiling else []), *evaluation.notes]


def _limits_paragraphs(limits):
    """What the card says of what limits the scores."""
    yield (
        f"One healthy hour in twenty differs from what is expected of it by more than {limits.usual:.0%} of voltage "
        f"and current together (sensors, snow, curtailment); in {limits.hidden:.0%} of the faulty hours the fault "
        "changes less than that. F1 of faulty against healthy and macro-F1 with the shorts as one, by window, of all "
        "healthy hours and of the faulty ones in which voltage and current together change so much or more:"
    )
    judges = list(limits.by_least_effect[0][2])
    yield _table(
        ["change", "faulty hours", *judges],
        [
            [f"{least:.0%}", f"{n:,}", *(" / ".join(f"{value:.3f}" for value in scores[judge]) for judge in judges)]
            for least, n, scores in limits.by_least_effect
        ],
    )
    yield "Open strings and shorts of 10 % of a string that are found within 2 h of daylight:"
    yield _table(
        ["strings in parallel", "device-days", *judges],
        [[name, str(n), *(f"{shares[judge]:.0%}" for judge in judges)] for name, n, shares in limits.soon_by_strings],
    )
    yield (
        "Line-line and line-ground faults of the reference array in a bright hour: what they change at the maximum of "
        "power. Faults that take as much are at one point, whatever their name: by six classes, whoever is ahead on "
        "that array has had the luckier guess."
    )
    yield _table(["take of the power", "fault", "configurations", "voltage", "current"], short_rows())
    yield "What would separate the rest: " + "; ".join(what[0].lower() + what[1:] for what, _ in WOULD_HELP) + "."


def _transfer_paragraphs(plants):
    """What the card says of plants of another simulation, beside the own test set."""
    yield "### Plants of another simulation"
    yield (
        "Another hand simulated them, with other cells, trackers, weather and sensors; nothing was trained or chosen "
        "on them. Both shorts are one class; in brackets, 95 % confidence over devices."
    )
    yield from _plant_tables(plants)
    for each in plants[1:]:
        yield (
            f"{each.name.capitalize()}: calibration error {each.calibration}; {each.describe_rest()}. Windows, truth "
            "by row:"
        )
        yield _confusion(each.confusion)


def _archive_paragraphs(archives):
    """What the card says of the same days kept as means of some minutes."""
    yield "### Archives of means"
    yield (
        f"{archives[0].days.n:,} simulated device-days of the test sites, half of them faulty, beside the dates before "
        "them, judged from what an archive keeps of the same readings. What happens within minutes is lost in a mean: "
        "arc faults above all. Means of an hour are refused. Both shorts are one class; in brackets, 95 % confidence "
        "over devices."
    )
    yield from _plant_tables(archives)
    yield _table(
        ["", "calibration error", "healthy device-days called faulty"],
        [[a.name, f"{a.calibration}", f"{a.false_alarms.count} of {a.false_alarms.days:,}"] for a in archives],
    )


def _plant_tables(plants):
    """Scores of some sets of plants side by side, by window and by device-day."""
    for unit in ("windows", "days"):
        columns = [getattr(each, unit) for each in plants]
        yield _table(
            [columns[0].unit, "", *(metric.name for metric in PLANT_METRICS)],
            [[c.name, f"{c.n:,}", *(f"{c.scores[m.name][MODEL]}" for m in PLANT_METRICS)] for c in columns],
        )


def _textbook_paragraphs(textbook):
    """What the card says of clear days on which an expert would be certain."""
    whole = textbook.tally()
    yield "### Textbook days"
    yield (
        f"{whole.days:,} clear device-days made from the single-diode model alone, on which an expert would be certain "
        f"(docs/evaluation.md). Shorts count as one. {whole.false_alarms} of {whole.healthy:,} healthy hours are "
        "called faulty."
    )
    yield _table(
        ["", *TALLY_HEADINGS],
        [
            [f"{factor}: {value}", *tally.cells()]
            for factor, tallies in textbook.by_factor().items()
            for value, tally in tallies.items()
        ],
    )


def _measured_paragraphs(days):
    """What the card says of measured days."""
    judged, faulty = sum(day.judged for day in days), sum(day.faulty for day in days)
    called = sum(day.verdict != NONE for day in days)
    yield "### Measured days"
    yield (
        f"{len(days)} days of one or more real inverters (docs/real_data.md). {faulty} of "
        f"{judged:,} windows are called faulty ({faulty / judged:.1%}), and {called} of the days."
    )
    labelled = score_labels(days)
    if labelled:
        yield f"{labelled}."
    yield "The worst three:"
    for day in worst_days(days):
        judgement = day.judgement or "Nobody has written yet what is to be seen on this day."
        yield f"- **{day.day}**: {day.faulty} of {day.judged} windows, verdict {day.verdict}. {judgement}"
    yield "Day by day (UTC):"
    yield _table(
        ["date", "windows judged", "called faulty", "share", "verdict"],
        [[str(d.day), str(d.judged), str(d.faulty), f"{d.share:.0%}", d.verdict] for d in days],
    )


def _overall(scores):
    """The scores that are one number each."""
    w, d = scores.windows, scores.days
    rows = [["number", f"{w['confusion'].sum():,}", f"{d['confusion'].sum():,}"]]
    named = (
        ("macro-F1, six classes", "macro_f1", ".3f"),
        ("macro-F1, line-line and line-ground as one", "grouped_macro_f1", ".3f"),
        ("F1, faulty against healthy", "faulty_f1", ".3f"),
        ("healthy called faulty", "false_alarms", ".2%"),
        ("faulty called healthy", "missed", ".1%"),
    )
    rows += [[name, format(w[key], form), format(d[key], form)] for name, key, form in named]
    return _table(
        ["", "windows", "device-days"], [*rows, ["expected calibration error", f"{scores.calibration:.3f}", ""]]
    )


def _format(values):
    return [f"{value:.3f}" for value in values]


def _data_row(split, windows):
    """One part of the data: how many of what, from where and when."""
    counts = np.bincount(windows.label, minlength=len(FAULTS))
    numbers = [len(np.unique(windows.device_day)), len(windows), *counts, len(split.sites)]
    return [split.name, *(f"{number:,}" for number in numbers), str(split.first)]


def _confusion(matrix):
    """A confusion matrix as a table."""
    return _table(["", *FAULTS], [[fault, *map(str, row)] for fault, row in zip(FAULTS, matrix, strict=True)])


def _table(header, rows):
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
