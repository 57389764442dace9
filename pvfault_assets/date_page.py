"""What the page of a date of `device_days` shows beside figures: the faulty devices, and two pictures.

Read from the published tables, without Spark, as the date is recorded. It is made once for a step, so that a range of
dates reads the weeks before it once. A date is made and good whether or not it can be shown: what is in the way is
told in its place.
"""

import math
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from functools import cached_property

import dagster as dg

from pvfault.errors import PvfaultError
from pvfault.faults import FAULTS, NONE
from pvfault.locations import is_there
from pvfault.registry import EMPTY_REGISTRY, Registry, read_registry
from pvfault.settings import Settings
from pvfault.tables import UNSURE
from pvfault_api.fleet import UNKNOWN, FaultyDevice, Fleet, count_faults, read_fleet
from pvfault_api.hours import Hour, read_hours
from pvfault_assets.charts import curves, markdown_image, stacked_bars

DEVICES = 20
DAYS_BACK = 56

# Colours that the colour-blind can tell apart (Okabe and Ito).
_COLOURS = dict(
    zip(
        (*FAULTS[1:], UNSURE, UNKNOWN),
        ("#d55e00", "#e69f00", "#0072b2", "#009e73", "#cc79a7", "#6b7280", "#9ca3af"),
        strict=True,
    )
)
_CURVES = {"measured": "#0072b2", "of a healthy array": "#9ca3af"}


class DatePage:
    """Shows the dates of one step, in the order in which they are made.

    Parameters
    ----------
    settings : Settings
    log : DagsterLogManager
        Of the step.
    """

    def __init__(self, settings: Settings, log: dg.DagsterLogManager):
        self._settings = settings
        self.log = log
        self._counts: dict[date, Counter[str] | None] = {}

    def show(self, day: date) -> dict[str, dg.MetadataValue]:
        """Metadata of a date that has just been made."""
        try:
            return {"report": dg.MetadataValue.md(self._write(day))}
        except Exception as error:
            # Whatever it is: the date is published, and must be recorded.
            self.log.warning(f"{day} cannot be shown on its page.", exc_info=True)
            reason = str(error) if isinstance(error, PvfaultError) else f"{type(error).__name__}: {error}"
            return {"report": f"cannot be shown: {reason}"}

    def _write(self, day: date) -> str:
        fleet = read_fleet(self._settings, [day])
        worst = sorted(fleet.faulty, key=lambda each: (-each.lost_kwh, -each.hours, each.device))
        parts = [f"## {day}", _headline(fleet)]
        if worst:
            parts.append(self._table(worst))
        parts.append(self._weeks(day, fleet))
        if worst:
            parts.append(self._day_of(worst[0], day))
        return "\n\n".join(parts)

    @cached_property
    def _registry(self) -> Registry:
        location = self._settings.registry
        return read_registry(location) if is_there(location) else EMPTY_REGISTRY

    def _table(self, worst: Sequence[FaultyDevice]) -> str:
        shown = worst[:DEVICES]
        rated = self._registry.ratings([each.device for each in shown])[:, 0]
        lines = ["| device | fault | since (UTC) | hours | sure | energy lost |", "|---|---|---|--:|--:|--:|"]
        for each, rating in zip(shown, rated, strict=True):
            lost = "no ratings" if math.isnan(rating) else f"{each.lost_kwh:.1f} kWh"
            lines.append(
                f"| {each.device} | {each.fault} | {each.onset:%H:%M} | {each.hours} | {each.confidence:.0%} | {lost} |"
            )
        more = f"\n\nand {len(worst) - DEVICES} more, which lose less." if len(worst) > DEVICES else ""
        return "\n".join(lines) + more

    def _weeks(self, day: date, fleet: Fleet) -> str:
        """Faulty devices by fault, date by date up to this one."""
        days = [day - timedelta(days=back) for back in range(DAYS_BACK - 1, -1, -1)]
        found = Counter(each.fault for each in fleet.faulty) + Counter({UNKNOWN: fleet.unjudged})
        self._counts[day] = found if fleet.devices else None
        if unread := [each for each in days if each not in self._counts]:
            read = count_faults(self._settings, unread)
            self._counts |= {each: read.get(each) for each in unread}
        kinds = [fault for fault in (*FAULTS, UNSURE, UNKNOWN) if fault != NONE]
        counts = [self._counts[each] for each in days]
        series = {kind: [None if found is None else found[kind] for found in counts] for kind in kinds}
        made = sum(found is not None for found in counts)
        title = f"Faulty devices by fault, {DAYS_BACK // 7} weeks to {day}"
        picture = stacked_bars(title, [f"{each:%d %b}" for each in days], series, _COLOURS)
        note = "" if made == DAYS_BACK else f"\n\nGrey: {DAYS_BACK - made} dates that have not been made."
        return markdown_image(title, picture) + note

    def _day_of(self, worst: FaultyDevice, day: date) -> str:
        """What the device that loses the most gave hour by hour, beside what a healthy one would have given."""
        hours = read_hours(self._settings, self._registry, worst.device, day)
        if not hours:
            return f"`scalograms` has no hours of {worst.device} any more."
        title = f"{worst.device}, {worst.fault}: mean DC power by hour in kW, {day} (UTC)"
        picture = curves(title, [f"{each.start:%H:%M}" for each in hours], _series(hours), _CURVES)
        return markdown_image(title, picture)


def _headline(fleet: Fleet) -> str:
    lost = sum(each.lost_kwh for each in fleet.faulty)
    found = f"{len(fleet.faulty)} of {fleet.devices} devices have a fault"
    found += f" and lost {lost:.1f} kWh." if fleet.faulty else "."
    return found + (f" {fleet.unjudged} could not be judged." if fleet.unjudged else "")


def _series(hours: Sequence[Hour]) -> dict[str, list[float | None]]:
    """In kW; without what a healthy array gives where no hour has it, because the device has no ratings."""

    def kw(values):
        return [None if value is None else value / 1000 for value in values]

    series = {"measured": kw(each.power for each in hours), "of a healthy array": kw(each.expected for each in hours)}
    return {name: values for name, values in series.items() if any(value is not None for value in values)}
