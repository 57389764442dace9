"""What a device gives when nothing is wrong, as its own days before have shown.

Here: which days before are looked at, expected voltage and current under given light and temperature at a given hour,
how they are learned from hourly means, deviations from them, and the course that both have taken since. Not here: where
the means are kept (`rows/`), what is made of deviation and course (`marks.py`, `scalogram.py`), what a lost
kilowatt-hour costs (`rows/device_days.py`).

A data sheet is good to some per cent for a real array: tolerance, dirt, its own coefficients and the gains of its
sensors hide a fault of that size. In 5,646 healthy simulated hours above 250 W/m², half are within 0.21 % of the
voltage and 1.3 % of the current that the days before promise.
"""

from typing import NamedTuple

import numpy as np

from pvfault.registry import SMALLEST_ESTIMATE, VOLTAGE_TEMPERATURE_COEFFICIENT

# How many days back the dates lie that are looked at, the first one yesterday: close together at first, because the
# course since then is wanted, and far back, because a fault must not have been there most of the time.
HISTORY = (1, 2, 3, 5, 7, 10, 14, 21, 28, 35, 42, 56, 70, 84, 98, 112, 126, 140, 154)
HOURS_BEFORE = 10
COURSE = len(HISTORY) + HOURS_BEFORE + 1
# Hours with less light tell more of offsets and of the horizon than of the array. [W/m²]
LEAST_LIGHT = 80.0

# The conditions about which the expectation is expanded; also where it is compared with the ratings.
TEMPERATURE = 25.0  # °C
IRRADIANCE = 800.0  # W/m²
_DIM = 20.0  # W/m²: below, the logarithm stays what it is there
_DIM_SHARE = 0.05  # of the current at 1000 W/m²

# Voltage over the rated one: 1, (T - 25 °C) / 25 °C, ln(G / 800 W/m²) and its square. Current over the rated one and
# G / 1000 W/m²: the same, and the hours from noon / 4 h and their square, because the glass reflects a flat beam and
# an array and its sensor never face quite the same way.
N_VOLTAGE, N_CURRENT = 4, 6
# Without history. Medians over 326 healthy simulated devices, but for the voltage's temperature, which has to
# hold for any module. `pvfault derive references` finds them again, and shows what the ridges below are good for.
_TYPICAL_VOLTAGE = np.array([1.0, 25 * VOLTAGE_TEMPERATURE_COEFFICIENT, 0.005, -0.009])
_TYPICAL_CURRENT = np.array([0.96, 0.0, 0.0, 0.0, 0.0, 0.0])
TYPICAL = np.concatenate([_TYPICAL_VOLTAGE, _TYPICAL_CURRENT, [12.0]])
SIZE = len(TYPICAL)  # the last one is the hour of noon

# How many hours of history weigh as much as what is typical.
VOLTAGE_RIDGE = (0.025, 1.0, 1.0, 1.0)
CURRENT_RIDGE = (0.025, 60.0, 1.0, 1.0, 1.0, 1.0)
# Faults take; so the expectation lies above the median of the days before, and a fault that began among them hardly
# pulls it down as long as it has not been there for most of the time.
_QUANTILE = 0.7
# Below this share of what is typical, the days before were not healthy: less does not come from dirt and tolerance.
_LEAST_VOLTAGE, _LEAST_CURRENT = 0.9, 0.85
_SMOOTH = 0.004  # of the rated value: deviations below count by their square
_STEPS = 12
# A reference does not depend on the devices beside it, whatever the order of additions inside.
DIGITS = 9


def learn_references(history, ratings, *, ridges=(VOLTAGE_RIDGE, CURRENT_RIDGE)):
    """Fit each device's expectation to the hourly means of its days before.

    A quantile regression by iteratively reweighted least squares, held to what is typical by a ridge.

    Parameters
    ----------
    history : ndarray, shape (n, days, 24, 4)
        Hourly means of voltage [V], current [A], temperature [°C] and irradiance [W/m²]; NaN where there is none.
    ratings : ndarray, shape (n, 2)
        Rated voltage [V] and current [A]; NaN for a device that is not registered, which is fitted to a rating read
        from its history.
    ridges : tuple of tuple of float
        Of the coefficients of the voltage and the current.

    Returns
    -------
    ndarray of float64, shape (n, 11)
        The coefficients of the voltage [V] and the current [A], and the hour of noon; NaN for a device without an
        hour in the light.

    References
    ----------
    .. [1] P. Green, "Iteratively reweighted least squares for maximum likelihood estimation, and some robust and
       resistant alternatives", Journal of the Royal Statistical Society B 46, 1984, 149-192.
    """
    history = np.asarray(history, np.float64)
    hours = history.reshape(len(history), history.shape[1] * 24, 4)
    lit = np.isfinite(hours).all(axis=-1) & (hours[..., 3] > LEAST_LIGHT)
    voltage, current, temperature, irradiance = np.where(lit[..., None], hours, [0, 0, TEMPERATURE, IRRADIANCE]).T
    voltage, current, temperature, irradiance = voltage.T, current.T, temperature.T, irradiance.T
    clock = np.tile(np.arange(24) + 0.5, history.shape[1])
    noon = _noon(np.where(lit, irradiance, 0.0), clock)
    per_light = current / (irradiance / 1000)
    scale = np.where(np.isfinite(ratings), ratings, _rate(np.stack([voltage, per_light], axis=-1), irradiance, lit))
    weight = np.where(lit, np.minimum(irradiance / 400, 1.0), 0.0)
    terms = _terms(temperature, irradiance, clock - noon[:, None])
    ridge_voltage, ridge_current = (np.array(ridge) for ridge in ridges)
    fitted = [
        _fit(terms[..., :N_VOLTAGE], voltage / scale[:, :1], weight, _TYPICAL_VOLTAGE, ridge_voltage),
        _fit(terms, per_light / scale[:, 1:], weight, _TYPICAL_CURRENT, ridge_current),
    ]
    fitted[0] = _at_least(_LEAST_VOLTAGE * _TYPICAL_VOLTAGE, fitted[0]) * scale[:, :1]
    fitted[1] = _at_least(_LEAST_CURRENT * _TYPICAL_CURRENT, fitted[1]) * scale[:, 1:]
    learned = np.round(np.concatenate([*fitted, noon[:, None]], axis=1), DIGITS)
    learned[~lit.any(axis=1)] = np.nan
    return learned


def typical_references(ratings):
    """The expectation of devices without history, from their ratings alone.

    Parameters
    ----------
    ratings : ndarray, shape (n, 2)

    Returns
    -------
    ndarray of float64, shape (n, 11)
    """
    references = np.tile(TYPICAL, (len(ratings), 1))
    references[:, :N_VOLTAGE] *= ratings[:, :1]
    references[:, N_VOLTAGE:-1] *= ratings[:, 1:]
    return references


def or_typical(references, ratings):
    """References, and what is typical of the ratings for the devices that have none (NaN)."""
    return np.where(np.isnan(references), typical_references(ratings), references)


def ratings_of(references):
    """Rated voltage [V] and current [A] of which the references of healthy devices would be typical, shape (n, 2)."""
    return references[:, [0, N_VOLTAGE]] / TYPICAL[[0, N_VOLTAGE]]


def expect(references, temperature, irradiance, hour):
    """Voltage and current that healthy devices give.

    Parameters
    ----------
    references : ndarray, shape (n, 11)
    temperature, irradiance : ndarray, shape (n, m)
        [°C], [W/m²]
    hour : ndarray, shape (n, m)
        Of the day, UTC.

    Returns
    -------
    voltage, current : ndarray, shape (n, m)
        [V], [A]; not below a tenth of what is expected at 25 °C and 800 W/m².
    """
    own = references[:, :, None]
    terms = _terms(temperature, irradiance, hour - own[:, -1])
    voltage = sum(own[:, k] * terms[..., k] for k in range(N_VOLTAGE))
    per_light = sum(own[:, N_VOLTAGE + k] * terms[..., k] for k in range(N_CURRENT))
    voltage = np.maximum(voltage, 0.1 * own[:, 0])
    per_light = np.maximum(per_light, 0.1 * own[:, N_VOLTAGE])
    return voltage, per_light * np.maximum(irradiance, 0.0) / 1000


def deviate(values, hour, references):
    """By how much windows differ from what healthy devices give.

    Parameters
    ----------
    values : ndarray, shape (n, 180, 4)
        Voltage [V], current [A], temperature [°C], irradiance [W/m²].
    hour : ndarray of int, shape (n,)
        Hour of the day at which each window begins, UTC.
    references : ndarray, shape (n, 11)

    Returns
    -------
    ndarray of float64, shape (n, 180, 2)
        Of voltage and current, as shares of what is expected; of the current, of what 50 W/m² more would give: in dim
        light the error of the irradiance sensor is larger than the current, and shall not look like a fault.
    """
    voltage, current, temperature, irradiance = np.moveaxis(np.asarray(values, np.float64), -1, 0)
    slots = values.shape[1]
    expected_voltage, expected_current = expect(
        references, temperature, irradiance, hour[:, None] + np.arange(slots) / slots
    )
    offset = _DIM_SHARE * references[:, N_VOLTAGE, None]
    shares = (voltage - expected_voltage) / expected_voltage, (current - expected_current) / (expected_current + offset)
    return np.stack(shares, axis=-1)


def measure_levels(means, references):
    """Voltage and current over some hours, as shares of what is expected.

    Parameters
    ----------
    means : ndarray, shape (n, spans, hours, 4)
        Hourly means of voltage [V], current [A], temperature [°C] and irradiance [W/m²] of days or of single hours;
        NaN where there is none.
    references : ndarray, shape (n, 11)

    Returns
    -------
    ndarray of float64, shape (n, spans, 2)
        The sum over a span's hours in the light, over the sum that is expected of them; NaN without such an hour.
    """
    means = np.asarray(means, np.float64)
    n, spans, hours, _ = means.shape
    lit = np.isfinite(means).all(axis=-1) & (means[..., 3] > LEAST_LIGHT)
    voltage, current, temperature, irradiance = np.moveaxis(np.where(lit[..., None], means, 1.0), -1, 0)
    clock = np.broadcast_to(np.arange(spans * hours) % 24 + 0.5, (n, spans * hours))
    expected = expect(references, *(part.reshape(clock.shape) for part in (temperature, irradiance)), clock)
    with np.errstate(invalid="ignore"):  # nothing over nothing is not a number, as it should be
        levels = [
            np.where(lit, measured, 0.0).sum(axis=-1) / np.where(lit, healthy.reshape(lit.shape), 0.0).sum(axis=-1)
            for measured, healthy in zip((voltage, current), expected, strict=True)
        ]
    return np.stack(levels, axis=-1)


class Background(NamedTuple):
    """What is known of windows beside their own readings.

    Attributes
    ----------
    references : ndarray, shape (n, 11)
    course : ndarray, shape (n, COURSE, 2)
        How voltage and current have come to where they are: their levels relative to what is typical of the ratings, on
        the dates of `HISTORY`, the farthest first, in the hours before, and in the hour itself. NaN where nothing is
        known.
    surplus : ndarray, shape (n, 2)
        Voltage of the hour above what is expected, counted in modules, and its current, counted in strings: a string
        that is open is -1, whatever the size of the array. NaN where the size is not known.
    layout : ndarray, shape (n, 2)
        Modules in series and strings in parallel; NaN where they are not known.
    ratings : ndarray, shape (n, 2)
        Rated voltage [V] and current [A].
    """

    references: np.ndarray
    course: np.ndarray
    surplus: np.ndarray
    layout: np.ndarray
    ratings: np.ndarray


def background_of(owner, hour, means, before, references, ratings, layouts) -> Background:
    """What is known of some hours of devices.

    Parameters
    ----------
    owner, hour : ndarray of int, shape (n,)
        Which device and which hour of the date.
    means : ndarray, shape (n_devices, 24, 4)
        Hourly means of the date.
    before : ndarray, shape (n_devices, len(HISTORY), 2)
        Levels of the dates of `HISTORY`, as `measure_levels` gives them.
    references : ndarray, shape (n_devices, 11)
    ratings, layouts : ndarray, shape (n_devices, 2)
        As the registry has them; the layout is NaN where it is not known.

    Returns
    -------
    Background
    """
    today = measure_levels(means[:, :, None], references)
    padded = np.concatenate([np.full((len(today), HOURS_BEFORE, 2), np.nan), today], axis=1)
    hours = padded[owner[:, None], hour[:, None] + np.arange(HOURS_BEFORE + 1)]
    course = np.concatenate([before[owner, ::-1], hours], axis=1)
    to_rated = (ratings_of(references) / ratings)[owner, None]
    surplus = (today[owner, hour] - 1) * layouts[owner]
    return Background(references[owner], course * to_rated, surplus, layouts[owner], ratings[owner])


def _terms(temperature, irradiance, from_noon):
    """What the coefficients stand before, shape (n, m, 6); voltage takes the first four."""
    light = np.log(np.maximum(irradiance, _DIM) / IRRADIANCE)
    late = ((from_noon + 12) % 24 - 12) / 4
    one = np.ones_like(light)
    return np.stack([one, (temperature - TEMPERATURE) / 25, light, light * light, late, late * late], axis=-1)


def _noon(irradiance, clock):
    """The hour about which each device's light lies, on the circle of 24 h."""
    angle = 2 * np.pi * clock / 24
    east, north = (irradiance * np.sin(angle)).sum(axis=1), (irradiance * np.cos(angle)).sum(axis=1)
    return np.round(np.arctan2(east, north) * 24 / (2 * np.pi) % 24, 3)


def _rate(values, irradiance, lit):
    """A high quantile of each device's brighter hours, shape (n, 2), in place of its ratings.

    Dim hours are left out: with an irradiance sensor in the shade, they have more current than their light can give.
    """
    bright = lit & (irradiance >= _exceeded(irradiance[..., None], lit, 0.5))
    return np.maximum(_exceeded(values, bright, 0.1), SMALLEST_ESTIMATE)


def _exceeded(values, lit, share):
    """What a share of each device's lit hours reaches or exceeds, shape (n, k); minus infinity without any."""
    from_above = -np.sort(-np.where(lit[..., None], values, -np.inf), axis=1)
    position = np.maximum(np.ceil(share * lit.sum(axis=1)).astype(int), 1) - 1
    return np.take_along_axis(from_above, position[:, None, None], axis=1)[:, 0]


def _at_least(least, coefficients):
    """Coefficients, or the least ones where their first is below theirs."""
    return np.where(coefficients[:, :1] < least[0], least, coefficients)


def _fit(terms, values, weight, typical, ridge):
    """Coefficients of a quantile regression for each device, shape (n, k)."""
    coefficients = np.tile(typical, (len(values), 1))
    balance = weight
    for _ in range(_STEPS):
        weighted = (terms * balance[..., None]).transpose(0, 2, 1)
        normal = weighted @ terms + np.diag(ridge)
        right = (weighted @ values[..., None])[..., 0] + ridge * typical
        coefficients = np.linalg.solve(normal, right[..., None])[..., 0]
        above = values - (terms @ coefficients[..., None])[..., 0]
        side = np.where(above > 0, _QUANTILE, 1 - _QUANTILE)
        balance = weight * side * 6 * _SMOOTH / (np.abs(above) + _SMOOTH)
    return coefficients
