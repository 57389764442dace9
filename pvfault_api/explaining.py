"""Why a device has its verdict, in words: its measured means beside the expected ones, over the hours of the fault.

What is said follows from these numbers and the registry alone, so the same rows give the same words. The network judges
images, in which more is seen than hourly means show: where these show nothing, that is what is said. Not here: what is
expected (`hours.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

from pvfault.faults import ARC_FAULT, LINE_GROUND, LINE_LINE, NONE, OPEN_CIRCUIT, PARTIAL_SHADING
from pvfault.reference import LEAST_LIGHT
from pvfault.tables import CURTAILED, NOT_REPORTING, UNSURE

# From where on a share of the expected voltage or current is more than an error. Half of healthy hours are within 0.21
# and 1.3 % of what the days before promise (`pvfault/reference.py`); by ratings, or by few days, it is some per cent.
_LEARNED_TOLERANCE = {"voltage": 0.02, "current": 0.05}
_TYPICAL_TOLERANCE = {"voltage": 0.06, "current": 0.12}
_MANY_DATES = 5
# Below this share of the power of its ratings, an array that gives what it gave before was not healthy then.
_LITTLE_POWER = 0.85
_LOW_VOLTAGE = 0.9  # below, it is not only strings that are open
_NEAR = 0.025  # of one of the shares that have a word
_WORDS = {
    Fraction(1, 4): "a quarter", Fraction(1, 3): "a third", Fraction(1, 2): "half", Fraction(2, 3): "two thirds",
    Fraction(3, 4): "three quarters",
}  # fmt: skip
# How far from whole the number of strings or modules that are missing may be.
_WHOLE_STRINGS, _WHOLE_MODULES = 0.25, 0.35
_STEADY = 0.12  # the most by which a share differs between hours of a loss that stays
_NOTHING = 0.02


@dataclass(frozen=True)
class Compared:
    """An hour of a device, measured and expected.

    Attributes
    ----------
    start : datetime
        When it begins (UTC).
    quality : str
        One of `QUALITIES`.
    irradiance : float or None
        [W/m²]
    voltage, current, power : tuple of float or None
        Measured and expected: voltage [V] and current [A] of the days before, power [W] of the ratings.
    in_fault : bool
        Whether the verdict's fault shows in it.
    """

    start: datetime
    quality: str
    irradiance: float | None
    voltage: tuple[float | None, float | None]
    current: tuple[float | None, float | None]
    power: tuple[float | None, float | None]
    in_fault: bool


@dataclass(frozen=True)
class Device:
    """What is known of a device beside its hours.

    Attributes
    ----------
    modules, strings : float or None
        In series and in parallel; None where the registry does not say.
    learned_from : int
        Dates before by which voltage and current are expected; 0 if by the ratings alone.
    """

    modules: float | None = None
    strings: float | None = None
    learned_from: int = 0


@dataclass(frozen=True)
class Verdict:
    """What the day was found to be.

    Attributes
    ----------
    fault : str or None
    confidence : float or None
    runner_up : str or None
    runner_up_probability : float or None
    unsure_because : str or None
        Why nothing can be said of it.
    """

    fault: str | None
    confidence: float | None
    runner_up: str | None
    runner_up_probability: float | None
    unsure_because: str | None = None


@dataclass(frozen=True)
class Explanation:
    """Why a device has its verdict.

    Attributes
    ----------
    text : str
        Some sentences.
    observations : tuple of str
        What was seen, a sentence each.
    runner_up : str or None
        What would tell the verdict from what it is if it is not that; None where nothing was judged.
    """

    text: str
    observations: tuple[str, ...]
    runner_up: str | None


def explain(verdict: Verdict, hours: Sequence[Compared], device: Device) -> Explanation:
    """Say why a device has its verdict.

    Parameters
    ----------
    verdict : Verdict
    hours : sequence of Compared
        Of the date, in order.
    device : Device

    Returns
    -------
    Explanation

    Examples
    --------
    >>> from datetime import UTC
    >>> ten = datetime(2024, 6, 1, 10, tzinfo=UTC)
    >>> hours = [
    ...     Compared(ten + timedelta(hours=n), "ok", 800.0, (500, 500), (amps, 9), (500 * amps, 4600), amps < 9)
    ...     for n, amps in enumerate((9.0, 6.0, 6.0))
    ... ]
    >>> found = explain(Verdict("open_circuit", 0.98, "line_line", 0.01), hours, Device(20, 3, 19))
    >>> print(found.text)
    Since the hour of 11:00 UTC the current is two thirds of what the light promises, and the voltage is as expected: \
like 1 of 3 strings open. Before that, both were as expected.
    """
    if verdict.fault is None:
        return Explanation(_unknown(hours), (), None)
    if verdict.fault == UNSURE:
        return Explanation(f"Nothing can be said of it: {verdict.unsure_because}. Register the device.", (), None)
    if verdict.fault == NONE:
        return _healthy(verdict, hours, device)
    faulty = [hour for hour in hours if hour.in_fault]
    # The fault may have begun in the middle of its first hour.
    seen = _Seen.of(faulty[1:], device) or _Seen.of(faulty, device)
    if seen is None:
        text = (
            f"{_name(verdict.fault)} is found, but what the device should give in its hours is not known: register it."
        )
        return Explanation(text, (), tell_apart(verdict.fault, verdict.runner_up))
    before = _Seen.of([hour for hour in _judged(hours) if hour.start < faulty[0].start], device)
    is_over = any(hour.start > faulty[-1].start for hour in _judged(hours))
    likeness = _likeness(verdict.fault, seen, device, is_over=is_over)
    return Explanation(
        f"{_when(faulty, is_over=is_over)} {seen.sentence(likeness)} {_then(before)}",
        _observations(verdict, seen, before, device, hours),
        tell_apart(verdict.fault, verdict.runner_up),
    )


@dataclass(frozen=True)
class _Seen:
    """Voltage and current over some hours as shares of what is expected."""

    hours: int
    voltage: float
    current: float
    power: float | None
    lowest: float
    highest: float
    tolerance: dict[str, float]
    is_learned: bool

    @classmethod
    def of(cls, hours: Sequence[Compared], device: Device) -> "_Seen | None":
        """What was seen in some hours; None without one in the light whose expectation is known."""
        known = [
            hour for hour in hours
            if hour.irradiance is not None and hour.irradiance > LEAST_LIGHT
            and None not in (*hour.voltage, *hour.current)
        ]  # fmt: skip
        if not known:
            return None
        shares = [hour.current[0] / hour.current[1] for hour in known]
        return cls(
            len(known),
            _over(known, "voltage"),
            _over(known, "current"),
            None if any(None in hour.power for hour in known) else _over(known, "power"),
            min(shares),
            max(shares),
            _LEARNED_TOLERANCE if device.learned_from >= _MANY_DATES else _TYPICAL_TOLERANCE,
            device.learned_from > 0,
        )

    @property
    def voltage_is_low(self) -> bool:
        return self.voltage < 1 - self.tolerance["voltage"]

    @property
    def current_is_low(self) -> bool:
        return self.current < 1 - self.tolerance["current"]

    @property
    def is_steady(self) -> bool:
        return self.highest - self.lowest <= _STEADY

    @property
    def spread(self) -> str:
        return f"{_percent(self.lowest)} to {_percent(self.highest)} by the hour"

    def sentence(self, likeness: str) -> str:
        """What both are, and what that is like."""
        if not (self.current_is_low or self.voltage_is_low):
            if self.is_learned and self.power is not None and self.power < _LITTLE_POWER:
                return (
                    "current and voltage are as on the days before, and the power is "
                    f"{_percent(self.power)} of that of the ratings: the fault may be as old as these days."
                )
            return (
                "a fault shows within the hours, as their scalograms have it; the means of current and voltage are as "
                "expected."
            )
        current, voltage = self._clause("current"), self._clause("voltage")
        both = f"{current}, and {voltage}" if self.current_is_low else f"{voltage}, and {current}"
        return f"{both}{': ' + likeness if likeness else ''}."

    def _clause(self, what: str) -> str:
        share, promised = (
            (self.voltage, "what is expected") if what == "voltage" else (self.current, "what the light promises")
        )
        if share <= _NOTHING:
            return f"there is no {what}"
        if abs(share - 1) <= self.tolerance[what]:
            return f"the {what} is as expected"
        spread = f", {self.spread}" if what == "current" and not self.is_steady else ""
        amount = _percent(share) if spread else _share(share)
        return f"the {what} is {amount} of {promised}{spread}"


def _over(hours: Sequence[Compared], name: str) -> float:
    """What is measured over some hours as a share of what is expected."""
    measured, expected = zip(*(getattr(hour, name) for hour in hours), strict=True)
    return sum(measured) / sum(expected)


def _likeness(fault: str, seen: _Seen, device: Device, *, is_over: bool) -> str:
    """What the numbers are like, as far as they fit the fault; empty where they do not tell."""
    if fault == OPEN_CIRCUIT:
        return _like_open(seen, device)
    if fault == PARTIAL_SHADING:
        return "as a cover does that stays" if seen.is_steady and not is_over else "as a shadow does that passes"
    if fault in (LINE_LINE, LINE_GROUND) and seen.voltage_is_low:
        return _like_bridged(seen, device)
    if fault == ARC_FAULT:
        return "as over a contact that burns"
    return ""


def _like_open(seen: _Seen, device: Device) -> str:
    if seen.current <= _NOTHING:
        return "like an array that is open"
    if seen.voltage < _LOW_VOLTAGE:
        return ""
    if not seen.is_steady:
        return "like strings that are open now and then"
    if device.strings is None:
        return ""
    missing = (1 - seen.current) * device.strings
    if round(missing) >= 1 and abs(missing - round(missing)) <= _WHOLE_STRINGS:
        return f"like {round(missing)} of {device.strings:.0f} strings open"
    return f"less than an open string of {device.strings:.0f} would take" if missing < 1 else ""


def _like_bridged(seen: _Seen, device: Device) -> str:
    if device.modules is None:
        return "like modules that are bridged"
    missing = (1 - seen.voltage) * device.modules
    if round(missing) >= 1 and abs(missing - round(missing)) <= _WHOLE_MODULES:
        return f"like {round(missing)} of {device.modules:.0f} modules bridged"
    return f"like about {missing:.1f} of {device.modules:.0f} modules bridged"


def _when(faulty: Sequence[Compared], *, is_over: bool) -> str:
    """The beginning of the sentence: from when to when."""
    first, last = faulty[0].start, faulty[-1].start
    if is_over:
        return f"From {first:%H:%M} to {last + timedelta(hours=1):%H:%M} UTC"
    return f"Since the hour of {first:%H:%M} UTC"


def _then(before: _Seen | None) -> str:
    if before is None:
        return "It was there in the first hour that could be judged."
    if before.current_is_low or before.voltage_is_low:
        return f"Before that, the current was {_percent(before.current)} and the voltage {_percent(before.voltage)}."
    return "Before that, both were as expected."


def _observations(
    verdict: Verdict, seen: _Seen, before: _Seen | None, device: Device, hours: Sequence[Compared]
) -> tuple[str, ...]:
    found = [
        f"Current: {_percent(seen.current)} of what is expected over {_hours(seen.hours)} of the fault, {seen.spread}.",
        f"Voltage: {_percent(seen.voltage)} of what is expected.",
    ]
    if seen.power is not None:
        found.append(f"Power: {_percent(seen.power)} of what a healthy array of its ratings gives.")
    if before is not None:
        found.append(
            f"In {_hours(before.hours)} before: current {_percent(before.current)}, voltage {_percent(before.voltage)}."
        )
    return (*found, *_set_aside(hours), _sure(verdict), _by_what(device))


def _set_aside(hours: Sequence[Compared]) -> list[str]:
    """What was not judged although there was light, because it does not tell of the array."""
    told = {
        CURTAILED: "the inverter took less than the array had to give",
        NOT_REPORTING: "zeros or placeholders came instead of readings",
    }
    count = {quality: sum(hour.quality == quality for hour in hours) for quality in told}
    return [f"In {_hours(count[quality])} {what}: not judged." for quality, what in told.items() if count[quality]]


def _sure(verdict: Verdict) -> str:
    sure = f"{_name(verdict.fault)} is {_probable(verdict.confidence)} probable"
    if verdict.runner_up is None:
        return f"{sure}."
    return f"{sure}, {_name(verdict.runner_up).lower()} {_probable(verdict.runner_up_probability)}."


def _probable(probability: float) -> str:
    """A probability, which is never all or nothing.

    >>> [_probable(each) for each in (0.999, 0.98, 0.001)]
    ['more than 99 %', '98 %', 'less than 1 %']
    """
    if probability > 0.99:
        return "more than 99 %"
    return "less than 1 %" if probability < 0.01 else _percent(probability)


def _by_what(device: Device) -> str:
    if not device.learned_from:
        return "Expected by its ratings alone, as there is no date before: some per cent of difference mean nothing."
    dates = "1 date" if device.learned_from == 1 else f"{device.learned_from} dates"
    few = ", which are few" if device.learned_from < _MANY_DATES else ""
    return f"Expected by what the device gave on {dates} before{few}."


def _healthy(verdict: Verdict, hours: Sequence[Compared], device: Device) -> Explanation:
    seen = _Seen.of(_judged(hours), device)
    apart = tell_apart(NONE, verdict.runner_up)
    if seen is None:
        return Explanation(
            "No hour shows a fault. What the device should give is not known: register it.", (_sure(verdict),), apart
        )
    if seen.current_is_low or seen.voltage_is_low:
        text = (
            f"No hour shows a fault, though over {_hours(seen.hours)} the current is {_percent(seen.current)} and the "
            f"voltage {_percent(seen.voltage)} of what is expected: dirt, a limit of the inverter or a sensor in other "
            "light do that."
        )
    else:
        text = f"No hour shows a fault: over {_hours(seen.hours)} current and voltage are as expected."
    found = (
        f"Current: {_percent(seen.current)} of what is expected, {seen.spread}.",
        f"Voltage: {_percent(seen.voltage)} of what is expected.",
    )
    return Explanation(text, (*found, *_set_aside(hours), _sure(verdict), _by_what(device)), apart)


def _unknown(hours: Sequence[Compared]) -> str:
    counts = {
        kind: sum(hour.quality == kind for hour in hours) for kind in dict.fromkeys(hour.quality for hour in hours)
    }
    found = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])))
    return f"No hour could be judged: {found}." if found else "No hour could be judged: there is none of the device."


def _judged(hours: Sequence[Compared]) -> list[Compared]:
    return [hour for hour in hours if hour.quality == "ok"]


def _share(share: float) -> str:
    """A share as one says it.

    >>> [_share(each) for each in (0.66, 0.5, 0.61, 1.08)]
    ['two thirds', 'half', '61 %', '108 %']
    """
    nearest = min(_WORDS, key=lambda fraction: abs(share - fraction))
    return _WORDS[nearest] if abs(share - nearest) <= _NEAR else _percent(share)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _hours(count: int) -> str:
    return "1 hour" if count == 1 else f"{count} hours"


def _name(fault: str) -> str:
    return {NONE: "No fault", LINE_LINE: "Line-line", LINE_GROUND: "Line-ground"}.get(
        fault, fault.replace("_", " ").capitalize()
    )


# What a crew would look at to tell two verdicts apart. Shorts over the same modules are one circuit at the terminals,
# and a string that its diode keeps off is like an open one: only measurements on the site tell these.
_APART = {
    (
        NONE,
        LINE_LINE,
    ): "A short takes voltage in every light; if it is none, the voltage of a clear noon is that of the "
    "devices beside it.",
    (NONE, LINE_GROUND): "A ground fault lowers the insulation resistance that the inverter measures before it starts; "
    "if it is none, this value is what it was.",
    (NONE, OPEN_CIRCUIT): "Clamp the strings in full light: an open one carries nothing. If it is none, all carry "
    "alike, and the array is dirty or the irradiance sensor wrong.",
    (NONE, PARTIAL_SHADING): "A shadow is there in the same hours of the next clear day; if it is none, these hours "
    "are as expected then.",
    (
        NONE,
        ARC_FAULT,
    ): "An arc leaves burn marks and heat at a contact, and comes again in strong light; if it is none, "
    "the voltage is calm on a clear day.",
    (
        LINE_LINE,
        LINE_GROUND,
    ): "At the inverter's input both are one circuit. The insulation resistance tells: it is low "
    "with a ground fault alone.",
    (LINE_LINE, OPEN_CIRCUIT): "The open-circuit voltage of each string tells: with a short it is lower by the bridged "
    "modules, and a string that is open carries nothing.",
    (LINE_LINE, PARTIAL_SHADING): "A shadow comes and goes with the place of the sun, a short stays in every light: "
    "compare morning and afternoon, and look at the array.",
    (LINE_LINE, ARC_FAULT): "A short is steady, an arc is not: look whether the voltage jumps within minutes under a "
    "clear sky.",
    (LINE_GROUND, OPEN_CIRCUIT): "The insulation resistance is low with a ground fault, and a string that is open "
    "carries nothing.",
    (
        LINE_GROUND,
        PARTIAL_SHADING,
    ): "The insulation resistance is low with a ground fault; a shadow comes and goes with the place of the sun.",
    (LINE_GROUND, ARC_FAULT): "The insulation resistance is low with a ground fault; with an arc the voltage jumps "
    "within minutes under a clear sky.",
    (OPEN_CIRCUIT, PARTIAL_SHADING): "An open string carries nothing at any time, a shaded one all of its current in "
    "other hours: look at the same hours of the days before.",
    (
        OPEN_CIRCUIT,
        ARC_FAULT,
    ): "An open string is quiet, an arc makes the current of its string jump: clamp the strings "
    "in full light, and look for burn marks at the contacts.",
    (
        PARTIAL_SHADING,
        ARC_FAULT,
    ): "A shadow comes in the same hours of each clear day and moves slowly; an arc comes at "
    "any hour of strong light and jumps.",
}


def tell_apart(fault: str, other: str | None) -> str | None:
    """What would tell two verdicts apart; None if there is no other one."""
    if other is None or other == fault:
        return None
    return _APART.get((fault, other)) or _APART[(other, fault)]
