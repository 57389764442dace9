"""Arrays against pvlib and against formulas that fit on a line."""

import numpy as np
import pvlib
import pytest

from pvfault.errors import PvfaultError
from pvfault.faults import FAULTS
from pvfault_workshop.simulation.array import SHARES, ArrayShape, Nodes, read_curves, tabulate
from pvfault_workshop.simulation.circuits import join_strings, open_strings, short_modules
from pvfault_workshop.simulation.curves import curve_at
from pvfault_workshop.simulation.faults import LEAST_SEVERITY, draw_fault
from pvfault_workshop.simulation.inverter import Inverter, operate
from pvfault_workshop.simulation.modules import diode_parameters, load_modules, module_temperature, solve_diode_voltage

MODULES = load_modules()
CRYSTALLINE = MODULES[0]
N = 300


@pytest.fixture
def conditions():
    rng = np.random.default_rng(0)
    return rng.uniform(20, 1200, N), rng.uniform(-15, 75, N)


def healthy_table(shape):
    return tabulate(shape, (Nodes.whole_array,))


def curves(table, irradiance, temperature):
    """Currents and voltages at given conditions."""
    zeros = np.zeros(len(irradiance), int)
    current, open_voltage = read_curves(table, zeros, np.ones(len(irradiance)), irradiance, temperature)
    return current, SHARES * open_voltage[:, None]


DEAD = np.log10(0.001)  # a depth


def solve(shape, circuit, irradiance=800.0, temperature=25.0, depth=1.0):
    """Voltage, current and power of a circuit, solved without a table."""
    nodes = Nodes(shape, np.array([irradiance]), np.array([temperature]), np.array([depth]))
    curve = circuit(nodes)
    voltage = np.linspace(0, curve.voltage.max(), 3000)
    current = curve_at(curve, voltage[None])[0]
    return voltage, current, voltage * current


def open_voltage_of(shape, circuit):
    voltage, current, _ = solve(shape, circuit, depth=DEAD)
    return voltage[current > 0].max()


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_a_healthy_array_gives_the_power_that_pvlib_computes(module, conditions):
    shape = ArrayShape(module, in_series=4, in_parallel=3)
    current, voltage = curves(healthy_table(shape), *conditions)
    expected = pvlib.pvsystem.singlediode(*diode_parameters(module, *conditions))
    np.testing.assert_allclose((current * voltage).max(axis=1), expected["p_mp"] * 12, rtol=0.005)
    np.testing.assert_allclose(current[:, 0], expected["i_sc"] * 3, rtol=0.005)


def test_the_diode_voltage_solves_its_equation(conditions):
    parameters = diode_parameters(CRYSTALLINE, *conditions)
    photo, saturation, _, shunt, thermal = parameters[:, :, None]
    current = photo * np.array([-1.0, 0, 0.5, 0.95, 1.1])
    diode = solve_diode_voltage(current, parameters)
    rest = photo - saturation * np.expm1(diode / thermal) - diode / shunt - current
    np.testing.assert_allclose(rest, 0, atol=1e-6)


@pytest.mark.parametrize("count", [1, 3, 6])
def test_shorting_k_of_n_modules_of_the_only_string_takes_k_nths_of_the_open_circuit_voltage(count):
    shape = ArrayShape(CRYSTALLINE, 10, 1)
    whole = open_voltage_of(shape, Nodes.whole_array)
    assert open_voltage_of(shape, short_modules(shape, count)) == pytest.approx(whole * (1 - count / 10), rel=2e-3)


def test_a_fault_path_of_high_resistance_takes_what_flows_through_it():
    shape = ArrayShape(CRYSTALLINE, 10, 1)
    bridged = solve(shape, short_modules(shape, 10), depth=3.0)
    alone = solve(shape, Nodes.whole_array)
    at = 300.0
    lost = np.interp(at, *alone[:2]) - np.interp(at, *bridged[:2])
    assert lost == pytest.approx(at / 1000, rel=1e-2)


@pytest.mark.parametrize(("count", "strings"), [(1, 2), (1, 5), (3, 6)])
def test_opening_strings_takes_their_share_of_current_and_power(count, strings):
    shape = ArrayShape(CRYSTALLINE, 8, strings)
    _, current, power = solve(shape, Nodes.whole_array)
    _, less, lower = solve(shape, open_strings(shape, count))
    assert less[0] / current[0] == pytest.approx(1 - count / strings, rel=1e-6)
    assert lower.max() / power.max() == pytest.approx(1 - count / strings, rel=1e-3)


def test_an_open_array_gives_no_current_at_any_voltage():
    shape = ArrayShape(CRYSTALLINE, 8, 3)
    assert (solve(shape, open_strings(shape, 3))[1] == 0).all()


def test_joining_two_strings_at_the_same_height_changes_nothing():
    """Both ends of the bridge are at the same potential."""
    shape = ArrayShape(CRYSTALLINE, 8, 2)
    voltage, current, power = solve(shape, Nodes.whole_array)
    joined = solve(shape, join_strings(shape, 3, 3), depth=DEAD)
    assert joined[2].max() == pytest.approx(power.max(), rel=2e-3)
    inside = voltage < 1.02 * voltage[current > 0].max()
    np.testing.assert_allclose(np.interp(voltage, joined[0], joined[1])[inside], current[inside], atol=0.05)


def test_a_module_under_a_full_shadow_is_bypassed():
    """All that is lost is its voltage and the drop of its three bypass diodes."""
    shape = ArrayShape(CRYSTALLINE, 10, 1)
    _, _, power = solve(shape, Nodes.whole_array)
    _, current, shaded = solve(shape, lambda nodes: nodes.array((1, nodes.string((27, 1.0), (3, 0.02)))))
    best = shaded.argmax()
    bypass = 3 * 0.5 * current[best]
    assert shaded[best] == pytest.approx(power.max() * 0.9 - bypass, rel=3e-3)


def test_a_shadow_on_part_of_a_string_makes_two_maxima():
    shape = ArrayShape(CRYSTALLINE, 10, 1)
    _, _, power = solve(shape, lambda nodes: nodes.array((1, nodes.string((20, 1.0), (10, 0.4)))))
    assert ((power[1:-1] > power[:-2]) & (power[1:-1] > power[2:])).sum() == 2


def test_a_blocking_diode_keeps_current_out_of_a_shorted_string():
    with_diode = ArrayShape(CRYSTALLINE, 10, 3, blocking=True)
    voltage, current, _ = solve(with_diode, short_modules(with_diode, 6), depth=DEAD)
    two = solve(with_diode, open_strings(with_diode, 1))
    above = voltage > 250  # the four modules left reach 150 V
    np.testing.assert_allclose(current[above], np.interp(voltage[above], two[0], two[1]), atol=0.02)


def track(shape, circuit, **habits):
    """Operating point of an inverter at 25 °C."""
    inverter = Inverter(**({"limit": 1e9, "start": 1.0, "scans": True, "inertia": 0.0, "dither": 0.0} | habits))
    table = tabulate(shape, (circuit,))
    light = np.full(5, 800.0)
    zeros = np.zeros(5, int)
    current, open_voltage = read_curves(table, zeros, np.ones(5), light, np.full(5, 25.0))
    voltage, drawn = operate(inverter, current, open_voltage, np.zeros(5))
    return voltage[-1], drawn[-1]


def test_the_tracker_finds_the_maximum_power_point_of_pvlib():
    voltage, current = track(ArrayShape(CRYSTALLINE, 12, 2), Nodes.whole_array)
    point = pvlib.pvsystem.singlediode(*diode_parameters(CRYSTALLINE, 800.0, 25.0))
    assert voltage == pytest.approx(12 * point["v_mp"], rel=0.01)
    assert voltage * current == pytest.approx(24 * point["p_mp"], rel=0.005)


def test_an_inverter_that_clips_keeps_its_limit_above_the_best_voltage():
    shape = ArrayShape(CRYSTALLINE, 12, 2)
    best, _ = track(shape, Nodes.whole_array)
    voltage, current = track(shape, Nodes.whole_array, limit=3000.0)
    assert voltage > best
    assert voltage * current == pytest.approx(3000, rel=0.02)


def test_a_tracker_that_does_not_scan_stays_on_the_maximum_near_the_open_circuit_voltage():
    shape = ArrayShape(CRYSTALLINE, 10, 1)

    def circuit(nodes):
        return nodes.array((1, nodes.string((20, 1.0), (10, 0.3))))

    high, low = track(shape, circuit, scans=False), track(shape, circuit, scans=True)
    assert high[0] > low[0]
    assert high[0] * high[1] < low[0] * low[1]


@pytest.mark.parametrize("fault", FAULTS[1:])
def test_drawn_faults_take_at_least_what_counts(fault):
    shape = ArrayShape(CRYSTALLINE, 12, 3)
    rng = np.random.default_rng(1)
    for _ in range(10):
        drawn = draw_fault(fault, shape, rng)
        assert LEAST_SEVERITY <= drawn.severity <= 1
        assert drawn.name == fault


def test_a_module_warms_up_to_the_temperature_of_faiman():
    n = 360  # 2 h
    warm = module_temperature(np.full(n, 20.0), np.full(n, 2.0), np.r_[0, np.full(n - 1, 800.0)],
                              u0=25.0, u1=6.84, time_constant_s=420)  # fmt: skip
    steady = pvlib.temperature.faiman(800.0, 20.0, 2.0, 25.0, 6.84)
    assert warm[-1] == pytest.approx(steady, abs=0.01)
    assert warm[21] - 20 == pytest.approx((steady - 20) * (1 - np.exp(-1)), rel=0.01)  # one time constant


@pytest.mark.parametrize(("series", "parallel"), [(0, 1), (4, 0)])
def test_an_array_without_strings_is_refused(series, parallel):
    with pytest.raises(PvfaultError, match="at least one module in series and one string"):
        ArrayShape(CRYSTALLINE, series, parallel)


def test_a_tracker_departs_from_the_maximum_by_steps_and_for_minutes():
    """Variance of three equal steps, and autocorrelation of a process of first order, against both formulas."""
    inverter = Inverter(limit=1e9, start=1.0, scans=True, inertia=0.0, dither=0.01, wander=0.02, wander_s=120.0)
    rng = np.random.default_rng(1)
    found = np.stack([inverter.draw_departures(20, rng) for _ in range(5000)])
    np.testing.assert_allclose(found.var(axis=0), 0.01**2 * 2 / 3 + 0.02**2, rtol=0.1)
    np.testing.assert_allclose(np.mean(found[:, 6:] * found[:, :-6]), 0.02**2 / np.e, rtol=0.1)  # two minutes later


def test_departures_move_the_voltage_but_for_where_the_power_is_limited():
    shape = ArrayShape(CRYSTALLINE, 12, 2)
    table = tabulate(shape, (Nodes.whole_array,))
    current, open_voltage = read_curves(table, np.zeros(4, int), np.ones(4), np.full(4, 800.0), np.full(4, 25.0))
    departures = np.array([0.0, 0.02, -0.03, 0.01])
    free = Inverter(limit=1e9, start=1.0, scans=True, inertia=0.0, dither=0.0)
    voltage, _ = operate(free, current, open_voltage, departures)
    np.testing.assert_allclose(voltage, voltage[0] * (1 + departures))
    half = 0.5 * np.prod(operate(free, current, open_voltage, np.zeros(4)), axis=0)[0]
    np.testing.assert_allclose(np.prod(operate(free, current, open_voltage, departures, half), axis=0), half, rtol=0.01)
