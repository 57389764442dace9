"""Hours of readings in a few numbers, for whoever judges them without an image.

Here: the statistics of a window, and which they are. Not here: what is concluded from them (`evaluation/`), windows
(`windows.py`), images (`scalogram.py`).
"""

import numpy as np

from pvfault.expected_power import STC_IRRADIANCE, expected_power

# Below this share of the rated irradiance, a ratio to it is mostly the error of the irradiance sensor.
LEAST_IRRADIANCE = 0.02

SIGNALS = ("voltage", "current", "temperature", "irradiance", "power", "power_ratio", "current_ratio")
SUMMARIES = (
    "mean", "std", "min", "q10", "q25", "q50", "q75", "q90", "max",
    "step_mean", "step_max", "step_std", "drift",
)  # fmt: skip
RELATIONS = ("current_on_irradiance", "current_off_irradiance", "voltage_on_temperature", "without_current", "jumps")
STATISTICS = (*(f"{signal}_{summary}" for signal in SIGNALS for summary in SUMMARIES), *RELATIONS)


def hourly_statistics(values, ratings):
    """Summarise windows.

    Parameters
    ----------
    values : ndarray, shape (n, 180, 4)
        Voltage [V], current [A], temperature [°C], irradiance [W/m²].
    ratings : ndarray, shape (n, 2)
        Rated voltage [V] and current [A] of each window's device.

    Returns
    -------
    ndarray of float32, shape (n, len(STATISTICS))
        For each of `SIGNALS`, each of `SUMMARIES`; then `RELATIONS`. Voltage, current and power are relative to the
        rated ones, irradiance to 1000 W/m²; `power_ratio` is the power over the expected one, `current_ratio` the
        relative current over the relative irradiance. Steps are from one slot to the next, `drift` is the mean of the
        second half less that of the first.

    Examples
    --------
    >>> hour = np.full((1, 180, 4), [400.0, 8.0, 25.0, 800.0])
    >>> row = dict(zip(STATISTICS, hourly_statistics(hour, np.array([[400.0, 10.0]]))[0]))
    >>> [f"{row[name]:.2f}" for name in ("power_mean", "power_ratio_mean", "voltage_std")]
    ['0.80', '1.00', '0.00']
    """
    signals = relative_signals(values, ratings)
    by_signal = np.stack(list(summarise(signals, SUMMARIES).values()), axis=-1).reshape(len(signals), -1)
    relations = relate(*np.moveaxis(signals[..., :4], -1, 0))
    return np.column_stack([by_signal, relations]).astype(np.float32)


def relative_signals(values, ratings):
    """Signals of windows relative to what the device is rated for.

    Parameters
    ----------
    values : ndarray, shape (n, 180, 4)
    ratings : ndarray, shape (n, 2)
        As for `hourly_statistics`.

    Returns
    -------
    ndarray of float64, shape (n, 180, 7)
        In the order of `SIGNALS`; temperature in °C.
    """
    values, ratings = np.asarray(values, np.float64), np.asarray(ratings, np.float64)
    voltage, current = (values[..., k] / ratings[:, None, k] for k in range(2))
    temperature, irradiance = values[..., 2], values[..., 3] / STC_IRRADIANCE
    power = voltage * current
    light = np.maximum(irradiance, LEAST_IRRADIANCE)
    power_ratio = power / expected_power(light * STC_IRRADIANCE, temperature, 1.0)
    return np.stack([voltage, current, temperature, irradiance, power, power_ratio, current / light], axis=-1)


def summarise(signals, names):
    """Summarise signals over an hour.

    Parameters
    ----------
    signals : ndarray, shape (n, m, ...)
        Slots on the second axis.
    names : sequence of str
        Of `SUMMARIES`.

    Returns
    -------
    dict of str to ndarray, shape (n, ...)
    """
    steps = np.abs(np.diff(signals, axis=1))
    quantiles = iter(np.quantile(signals, [int(name[1:]) / 100 for name in names if name.startswith("q")], axis=1))
    others = {
        "mean": signals.mean, "std": signals.std, "min": signals.min, "max": signals.max,
        "step_mean": steps.mean, "step_max": steps.max, "step_std": steps.std,
    }  # fmt: skip

    def summary(name):
        if name == "drift":
            return _drift(signals)
        return others[name](axis=1) if name in others else next(quantiles)

    return {name: summary(name) for name in names}


def _drift(signals):
    """Mean of the second half of the slots, the second axis, less that of the first."""
    half = signals.shape[1] // 2
    return signals[:, half:].mean(axis=1) - signals[:, :half].mean(axis=1)


def relate(voltage, current, temperature, irradiance):
    """How the signals of windows go together.

    Parameters
    ----------
    voltage, current : ndarray, shape (n, m)
        Relative to rated or expected ones.
    temperature, irradiance : ndarray, shape (n, m)
        [°C], [1000 W/m²]

    Returns
    -------
    ndarray, shape (n, len(RELATIONS))
        In the order of `RELATIONS`.
    """
    slope = _slope(current, irradiance)
    level = current.mean(axis=1) - slope * irradiance.mean(axis=1)
    off = (current - slope[:, None] * irradiance - level[:, None]).std(axis=1)
    # Share of slots in which the voltage moves by more than 5 %.
    jumps = (np.abs(np.diff(voltage, axis=1)) > 0.05).mean(axis=1)
    return np.column_stack([slope, off, _slope(voltage, temperature), (current < 0.01).mean(axis=1), jumps])


def _slope(y, x):
    """Slope of the line through y over x in each row; 0 where x hardly moves."""
    x = x - x.mean(axis=1, keepdims=True)
    spread = (x**2).mean(axis=1)
    return np.divide((x * y).mean(axis=1), spread, out=np.zeros(len(x)), where=spread > 1e-6)
