"""How device-days as loggers write them (`logger_days.py`) are judged.

How many variants of each kind come out how: `python -m tests.pvfault.judging`, `… judging 3` of every third of every
third day, with `-v` behind it which ones are wrong.
"""

import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from pvfault.classify import judge_readings
from pvfault.credibility import examine_readings, why_in_doubt
from pvfault.faults import NONE
from pvfault.lenet import load_classifier
from pvfault.readings import READING_SCHEMA, TIMESTAMP_TYPE
from pvfault.registry import Registry
from pvfault.tables import MISSING, UNSURE
from tests.pvfault.logger_days import FAULTY, LEFT_OUT, Case, cases

MIDNIGHT = datetime(2024, 6, 10, tzinfo=UTC)
# Where less light falls in an hour, a fault leaves hardly any trace. [W/m²]
DUSK = 150.0
# A healthy look that is no surer is a guess.
SURE = 0.8
RIGHT, OPEN, REFUSED, MISNAMED, WRONG = "right", "unsure", "refused", "misnamed", "silently wrong"
OUTCOMES = (RIGHT, OPEN, REFUSED, MISNAMED, WRONG)


def judge(some: list[Case], classifier) -> list[tuple[Case, str, str]]:
    """The outcome of each case, and what of it is not right."""
    names = [f"D{number:09d}" for number in range(len(some))]
    known = [(name, case) for name, case in zip(names, some, strict=True) if case.ratings]
    registry = Registry(
        tuple(name for name, _ in known),
        np.array([case.ratings[0] for _, case in known]),
        np.array([case.ratings[1] for _, case in known]),
        np.array([[case.day.array.series, case.day.array.parallel] for _, case in known], float).reshape(-1, 2),
    )
    tables = [as_table(name, case) for name, case in zip(names, some, strict=True)]
    # One by one: what is alike in many devices is known of a fleet, and these are none.
    findings = {name: examine_readings(table, registry) for name, table in zip(names, tables, strict=True)}
    every = [finding for found in findings.values() for finding in found]
    judged = judge_readings(pa.concat_tables(tables), registry, classifier, doubts=why_in_doubt(every))
    shown = {name: {} for name in names}
    for row in judged.hours.to_pylist():
        shown[row["deviceID"]][row["window_start"].hour] = (row["fault"] or row["quality"], row["confidence"] or 0.0)
    day = {row["deviceID"]: row["fault"] for row in judged.device_days.to_pylist()}
    return [
        (case, *outcome(case, shown[name], day[name], findings[name])) for name, case in zip(names, some, strict=True)
    ]


def as_table(name, case):
    day = case.day
    start = np.datetime64(MIDNIGHT.replace(tzinfo=None), "us")
    times = pa.array(start + np.round(day.hour * 3.6e9).astype("timedelta64[us]")).cast(TIMESTAMP_TYPE)
    columns = [pa.array(column, pa.float32()) for column in day.measurements.T]
    table = pa.table([[name] * len(times), times, *columns], schema=READING_SCHEMA)
    return table if case.received is None else table.filter(pa.array(case.received))


def outcome(case, shown, of_day, findings) -> tuple[str, str]:
    """What came out, and what of it is not right.

    A faulty hour that is called healthy is wrong if that is more than a guess, and so is a faulty day.
    """
    marks = ", ".join(f"{found.kind}{'!' if found.certain else ''}" for found in findings)
    if any(found.certain for found in findings):
        return (REFUSED if case.mistake else WRONG), marks
    light = {hour: case.day.irradiance[case.day.hour.astype(int) == hour].mean() for hour in shown}
    wrong, named, unsure = {}, {}, False
    for hour, (what, sure) in shown.items():
        may = case.shows.get(hour, {NONE})
        if what in ("dark", MISSING) and what not in may:
            continue
        if what == UNSURE or (what in LEFT_OUT and what not in may):
            unsure = True
        elif what == NONE and may == FAULTY:
            unsure |= light[hour] >= DUSK
            if light[hour] >= DUSK and (sure >= SURE or of_day == NONE):
                wrong[hour] = f"{what} {sure:.2f}"
        elif what not in may:
            wrong[hour] = f"{what} {sure:.2f}"
        elif what in FAULTY and case.name and what != case.name:
            named[hour] = f"{what} {sure:.2f}"
    told = f"{wrong or named or ''} {marks}".strip()
    if wrong:
        return (OPEN if marks and case.mistake else WRONG), told
    if marks and not case.mistake:
        return WRONG, f"marked: {told}"
    if named:
        return MISNAMED, told
    return (OPEN if unsure or marks else RIGHT), told


def main():
    """Print how many variants of each kind come out how."""
    every = list(cases(int(sys.argv[1]) if len(sys.argv) > 1 else 1))
    judged = judge(every, load_classifier(Path("models/lenet5.h5")))
    by_kind: dict[str, Counter] = {}
    for case, found, told in judged:
        by_kind.setdefault(case.kind, Counter())[found] += 1
        if found in (WRONG, MISNAMED) and "-v" in sys.argv:
            sys.stderr.write(f"{found}: {case.kind}, {case.label}: {told}" + "\n")
    width = max(map(len, by_kind))
    sys.stdout.write("  ".join(["kind".ljust(width), "variants", *OUTCOMES]) + "\n")
    for kind, counts in [*by_kind.items(), ("all", sum(by_kind.values(), Counter()))]:
        cells = [str(counts.total()).rjust(8), *(str(counts[each]).rjust(len(each)) for each in OUTCOMES)]
        sys.stdout.write("  ".join([kind.ljust(width), *cells]) + "\n")


if __name__ == "__main__":
    main()
