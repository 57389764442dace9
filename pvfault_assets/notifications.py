"""What the operator is told of a run without looking: one message for each, by what `pvfault_messages` sends it.

Of runs without dates only a failed upkeep of the tables is told of: nobody looks at it, and the disk fills up.

A run of one date gives one message, and so does a run of a range or of a backfill, with a line for each date: a hundred
dates made again are one piece of news. A run that Dagster will retry by itself is not told of, its last attempt is; nor
is one that somebody has cancelled, who knows.

The decorator for run-status sensors moves on past a run although telling of it has failed, and tells of it again if the
process dies before its cursor is kept. So this sensor asks for runs by their status itself: each run carries in its
tags whether it was told of, and the cursor only bounds the search. The tag is written before the message is sent: a
process that dies in between leaves a message unsent, which the next one notes in its log, rather than sent twice.

No message waits for ever for one before it. Faults are read once: if they cannot be, whatever the reason, or the
process dies over them, the run is told of without them. A message that is found wrong is given up if another one is
taken, so that it is the message and not where it is sent.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from pvfault.errors import PvfaultError
from pvfault.settings import Settings
from pvfault.tables import DEVICE_DAYS
from pvfault_api.fleet import Fleet, read_fleet
from pvfault_assets.partitions import dates_of_run
from pvfault_assets.schedules import maintain_tables
from pvfault_messages.channels import Channel, channel_of
from pvfault_messages.webhook import NotAcceptedError, UnansweredError, WrongMessageError

TAG = "pvfault/notification"
COMPOSING, SENDING = "being composed", "sending"
UNSENT, UNKNOWN, REFUSED = "not sent yet", "unknown whether it arrived", "refused"

_FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
# Two run workers may write in another order than their runs ended in.
_LOOK_BACK = timedelta(minutes=10)
# Dagster gives a sensor 60 s; a message takes a second at most, unless nobody answers.
_AT_MOST = 20

SUBJECT_LENGTH = 100  # SNS: ASCII, without line breaks, up to 100 characters
_REASON_LENGTH = 2000
_N_DEVICES = 10
_N_CHECKS = 20
_N_DATES = 62


@dataclass(frozen=True)
class Outcome:
    """What became of a run.

    Attributes
    ----------
    run_id, job : str
    dates : tuple of date
    succeeded : bool
    seconds : float
    made : dict of date to list of str
        Assets that were made, in their order.
    failures : dict of str to str
        For each step that failed, why; the key is empty for the run as a whole.
    refused : dict of date to str
        Why a date was not taken.
    warnings : list of str
        Checks that did not pass, with what they found.
    """

    run_id: str
    job: str
    dates: tuple[date, ...]
    succeeded: bool
    seconds: float
    made: dict[date, list[str]]
    failures: dict[str, str]
    refused: dict[date, str]
    warnings: list[str]


def notifications(settings: Settings) -> list[dg.SensorDefinition]:
    """The sensor that tells of runs; none where it is not set whom to tell."""
    channel = channel_of(settings)
    if channel is None:
        return []

    @dg.sensor(
        name="tell_operator",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Tells {channel.name} how each run of dates went, and which faults it found.",
    )
    def tell_operator(context: dg.SensorEvaluationContext):
        if context.cursor is None:
            context.update_cursor(datetime.now(UTC).isoformat())
            return dg.SkipReason("Runs that end from now on are told of.")
        since = newest = datetime.fromisoformat(context.cursor)
        sent, wrong = 0, {}
        for record, ended in _finished_runs(context.instance, since):
            if _needs_notification(context, record.dagster_run):
                if sent + len(wrong) == _AT_MOST:
                    break
                try:
                    sent += _notify(context, settings, channel, record)
                except WrongMessageError as error:
                    wrong[record.dagster_run.run_id] = error
            newest = ended
        _give_up(context, channel, wrong, others_accepted=sent > 0)
        context.update_cursor(max(since, newest - _LOOK_BACK).isoformat())
        return dg.SkipReason(f"Runs told of: {sent}.")

    return [tell_operator]


def compose(outcome: Outcome, fleet: Fleet | str | None) -> tuple[str, str]:
    """The subject and the text of a message.

    Parameters
    ----------
    outcome : Outcome
    fleet : Fleet or str or None
        What the verdicts say that the run has made; why they cannot be read; None if it has made none.
    """
    if not outcome.succeeded:
        steps = ", ".join(filter(None, outcome.failures))
        what = _days(outcome.dates) if outcome.dates else outcome.job
        headline = f"{what} FAILED" + (f" at {steps}" if steps else "")
    elif isinstance(fleet, Fleet):
        headline = f"{_days(outcome.dates)} made, {_headline(fleet)}"
    else:
        headline = f"{_days(outcome.dates)} made"
    parts = [
        headline,
        *_failures(outcome),
        *_dates(outcome),
        *_faults(fleet),
        *_warnings(outcome.warnings),
        f"Run {outcome.run_id} of {outcome.job}, {outcome.seconds:.0f} s. Dagster's page has its log under this name.",
    ]
    return _subject(f"pvfault: {headline}"), _printable("\n\n".join(parts) + "\n")


def _finished_runs(instance, since):
    """Records of runs that ended after a time, in the order of their ends."""
    records = instance.get_run_records(dg.RunsFilter(statuses=_FINISHED, updated_after=since))
    ends = [
        (record, datetime.fromtimestamp(record.end_time, UTC) if record.end_time else record.update_timestamp)
        for record in records
    ]
    # A tag that is added to an old run makes it look like a new one.
    return sorted(((record, end) for record, end in ends if end >= since), key=lambda each: each[1])


def _needs_notification(context, run):
    """Whether nobody has been told of a run yet, and somebody shall be."""
    state = run.tags.get(TAG)
    if state == SENDING:
        context.log.warning(
            f"A process died while it told of the run {run.run_id}. Whether the message arrived is not known, and it "
            "is not sent again."
        )
        context.instance.add_run_tags(run.run_id, {TAG: UNKNOWN})
    will_retry = run.tags.get("dagster/will_retry") == "true" and not run.is_success
    is_news = dates_of_run(run) or (run.job_name == maintain_tables.name and not run.is_success)
    return state in (None, UNSENT, COMPOSING) and bool(is_news) and not will_retry


def _notify(context, settings, channel: Channel, record) -> bool:
    """Send the message of a run, once; False if a tick that goes on beside this one has."""
    instance, run = context.instance, record.dagster_run
    outcome = _outcome(instance, record)
    if run.tags.get(TAG) == COMPOSING:
        fleet = "the process that read them was ended, perhaps for its memory"
        context.log.warning(f"A process was ended while it read the faults of the run {run.run_id}; told without them.")
    else:
        instance.add_run_tags(run.run_id, {TAG: COMPOSING})
        fleet = _verdicts(context, settings, outcome)
        # Dagster gives up a tick that takes too long, and does not end it.
        if instance.get_run_by_id(run.run_id).tags[TAG] != COMPOSING:
            return False
    subject, text = compose(outcome, fleet)
    instance.add_run_tags(run.run_id, {TAG: SENDING})
    try:
        message_id = channel.send(subject, text)
    except WrongMessageError:
        instance.add_run_tags(run.run_id, {TAG: UNSENT})
        raise
    except NotAcceptedError as error:
        instance.add_run_tags(run.run_id, {TAG: UNSENT})
        raise _not_taken(channel, run.run_id, error) from error
    except UnansweredError as error:
        instance.add_run_tags(run.run_id, {TAG: UNKNOWN})
        raise PvfaultError(
            f"{channel.name} gave no answer to the message on the run {run.run_id}: {error}. It may have "
            "arrived, so it is not sent again."
        ) from error
    instance.add_run_tags(run.run_id, {TAG: message_id})
    return True


def _give_up(context, channel, wrong, *, others_accepted):
    """Give up messages that were found wrong, unless no other one was taken: then it may be about where they go."""
    for run_id, error in wrong.items():
        if not others_accepted:
            raise _not_taken(channel, run_id, error) from error
        context.instance.add_run_tags(run_id, {TAG: REFUSED})
        context.log.error(
            f"{channel.name} refuses the message on the run {run_id}, and takes others: {error}. It is given up."
        )


def _not_taken(channel, run_id, error):
    return PvfaultError(
        f"{channel.name} does not take the message on the run {run_id}: {error}. It is sent again with the next tick. "
        f"{channel.advice}"
    )


def _outcome(instance, record):
    """Read from the events of a run what became of it."""
    run = record.dagster_run
    made, failures, refused, warnings = defaultdict(list), {}, {}, []
    for entry in instance.all_logs(run.run_id, of_type=_EVENTS):
        event = entry.dagster_event
        if event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION and event.partition:
            made[date.fromisoformat(event.partition)].append(event.asset_key.to_user_string())
        elif event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            check = event.asset_check_evaluation_data
            if not check.passed and not check.blocking:
                of_day = f"{check.partition}: " if check.partition else ""
                asset = check.asset_key.to_user_string()
                warnings.append(f"{of_day}{asset}, {check.check_name}: {check.description}")
        elif event.event_type == dg.DagsterEventType.STEP_FAILURE:
            failure = event.step_failure_data.user_failure_data
            reason = failure.description if failure else event.step_failure_data.error.to_string()
            failures[event.step_key] = reason
            if failure and "refused" in failure.metadata:
                refused |= {date.fromisoformat(day): why for day, why in failure.metadata["refused"].value.items()}
        elif event.event_type == dg.DagsterEventType.RUN_FAILURE and not failures:
            failures[""] = event.message
    return Outcome(
        run_id=run.run_id,
        job=run.job_name if not run.job_name.startswith("__") else "chosen assets",
        dates=tuple(dates_of_run(run)),
        succeeded=run.is_success,
        seconds=(record.end_time or 0) - (record.start_time or record.end_time or 0),
        made=dict(made),
        failures=failures,
        refused=refused,
        warnings=warnings,
    )


_EVENTS = {
    dg.DagsterEventType.ASSET_MATERIALIZATION,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.RUN_FAILURE,
}


def _verdicts(context, settings, outcome):
    """What `device_days` says of the dates for which the run has made it, or why that is not known."""
    days = [day for day, assets in outcome.made.items() if DEVICE_DAYS.name in assets]
    if not days:
        return None
    try:
        return read_fleet(settings, days)
    except Exception as error:
        # Whatever it is: that the run is done must be told all the same, and what stands behind it too.
        context.log.warning(f"The faults of the run {outcome.run_id} could not be read.", exc_info=True)
        return str(error) if isinstance(error, PvfaultError) else f"{type(error).__name__}: {error}"


def _days(dates: Sequence[date]) -> str:
    return f"{dates[0]}" if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"


def _headline(fleet: Fleet) -> str:
    lost = sum(device.lost_kwh for device in fleet.faulty)
    headline = f"{len(fleet.faulty)} of {fleet.devices} devices faulty"
    return headline + (f", {lost:.1f} kWh lost" if fleet.faulty else "")


def _failures(outcome: Outcome) -> Iterator[str]:
    for step, why in outcome.failures.items():
        yield (f"{step}: " if step else "") + _short(why).strip()


def _dates(outcome: Outcome) -> Iterator[str]:
    """What was made of each date, where that is not simply everything."""
    if not outcome.dates or (outcome.succeeded and len(outcome.dates) == 1):
        return
    lines = []
    for day in outcome.dates[:_N_DATES]:
        made = ", ".join(outcome.made.get(day, ())) or "nothing"
        lines.append(f"  {day}  made: {made}" + ("  REFUSED" if day in outcome.refused else ""))
    if len(outcome.dates) > _N_DATES:
        lines.append(f"  and {len(outcome.dates) - _N_DATES} more dates")
    yield "Dates\n" + "\n".join(lines)


def _faults(fleet: Fleet | str | None) -> Iterator[str]:
    """How many devices have which fault, and which of them lose the most."""
    if isinstance(fleet, str):
        yield f"The faults could not be read: {_short(fleet)}"
    if not isinstance(fleet, Fleet):
        return
    if fleet.unjudged:
        yield f"Without a verdict, because of missing or unusable readings: {fleet.unjudged} devices."
    if not fleet.faulty:
        return
    counts, lost = Counter(device.fault for device in fleet.faulty), defaultdict(float)
    for device in fleet.faulty:
        lost[device.fault] += device.lost_kwh
    lines = [f"  {fault:<16} {n:>7} {lost[fault]:>11.1f}" for fault, n in counts.most_common()]
    yield f"Faults\n  {'fault':<16} devices  lost [kWh]\n" + "\n".join(lines)
    worst = sorted(fleet.faulty, key=lambda device: (-device.lost_kwh, device.device))[:_N_DEVICES]
    lines = [
        f"  {each.device:<10} {each.fault:<16} since {each.onset:%Y-%m-%d %H:%M} UTC, {each.hours} h, "
        f"{each.lost_kwh:.1f} kWh lost, {each.confidence:.0%} sure"
        for each in worst
    ]
    yield f"The {len(worst)} that lose the most\n" + "\n".join(lines)


def _warnings(warnings: list[str]) -> Iterator[str]:
    if warnings:
        lines = [f"  {each[:_REASON_LENGTH]}" for each in warnings[:_N_CHECKS]]
        if len(warnings) > _N_CHECKS:
            lines.append(f"  and {len(warnings) - _N_CHECKS} more")
        yield "Checks that did not pass\n" + "\n".join(lines)


def _short(reason: str) -> str:
    return reason if len(reason) <= _REASON_LENGTH else reason[:_REASON_LENGTH] + " ..."


def _printable(text: str) -> str:
    """A text without what a log may have of control characters, which SNS does not take."""
    return "".join(character for character in text if character.isprintable() or character in "\n\t")


def _subject(text: str) -> str:
    """A line that SNS takes as a subject."""
    line = " ".join(text.encode("ascii", "replace").decode().split())
    return line if len(line) <= SUBJECT_LENGTH else line[: SUBJECT_LENGTH - 3] + "..."
