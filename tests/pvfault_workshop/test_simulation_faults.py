"""How faults are drawn, develop and look, and the array on which they are usually compared."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pvlib
import pytest
from scipy.optimize import fsolve

from pvfault.faults import ARC_FAULT, FAULTS, LINE_GROUND, LINE_LINE, OPEN_CIRCUIT, PARTIAL_SHADING
from pvfault_workshop.simulation import simulate_fleet
from pvfault_workshop.simulation.array import ArrayShape, Nodes
from pvfault_workshop.simulation.circuits import join_strings, shorted_string, weaken_strings
from pvfault_workshop.simulation.curves import curve_at
from pvfault_workshop.simulation.devices import draw_shape, simulate_day
from pvfault_workshop.simulation.faults import (
    FUSE_BLOWS,
    LEAST_SEVERITY,
    MOST_SEVERITY,
    NOTHING,
    Moments,
    draw_fault,
    measure_severity,
)
from pvfault_workshop.simulation.literature_array import reference_faults, reference_shape, simulate_reference_fleet
from pvfault_workshop.simulation.modules import diode_parameters, load_modules
from pvfault_workshop.simulation.sites import TEST_SITES
from pvfault_workshop.simulation.weather import simulate_weather

DAY = date(2025, 6, 1)
SITE = replace(TEST_SITES[0], sky=(1.0, 0.0, 0.0))
MODULE = load_modules()[0]


@pytest.mark.parametrize("resistance", [0.5, 5.0, 30.0])
@pytest.mark.parametrize(("low", "high"), [(2, 4), (1, 5), (5, 6)])
def test_a_joint_of_some_resistance_keeps_the_laws_of_kirchhoff(low, high, resistance):
    """At both ends of the joint, beside a solver of equations on pvlib's single diode."""
    shape, voltage = ArrayShape(MODULE, 10, 5), 270.0
    parameters = [float(p) for p in diode_parameters(MODULE, np.array([700.0]), np.array([40.0])).ravel()]

    def current(volts, modules):
        return pvlib.pvsystem.i_from_v(volts / modules, *parameters)

    def rest(potentials):
        a, b = potentials
        joint = (b - a) / resistance
        return (
            current(a, low) + joint - current(voltage - a, 10 - low),
            current(b, high) - joint - current(voltage - b, 10 - high),
        )

    a, b = fsolve(rest, (voltage * low / 10, voltage * high / 10))
    expected = current(voltage - a, 10 - low) + current(voltage - b, 10 - high) + 3 * current(voltage, 10)
    nodes = Nodes(shape, np.array([700.0]), np.array([40.0]), np.array([np.log10(resistance)]))
    found = curve_at(join_strings(shape, low, high)(nodes), np.array([[voltage]]))[0, 0]
    assert found == pytest.approx(expected, abs=0.01 * 5 * nodes.photo[0])


def test_a_bad_contact_takes_the_voltage_that_drops_in_it():
    shape = ArrayShape(MODULE, 10, 1)
    nodes = Nodes(shape, np.array([700.0]), np.array([40.0]), np.array([np.log10(5.0)]))
    healthy, weak = nodes.healthy(), weaken_strings(shape, 1)(nodes)
    drawn = curve_at(weak, np.array([[200.0]]))[0, 0]
    assert curve_at(healthy, np.array([[200.0 + 5.0 * drawn]]))[0, 0] == pytest.approx(drawn, rel=1e-3)


def test_a_fuse_opens_before_the_back_fed_current_of_a_short_exceeds_what_it_holds():
    fused = ArrayShape(MODULE, 12, 8, fused=True)
    rng = np.random.default_rng(2)
    held, unfused = [], []
    for shape, counts in ((fused, held), (replace(fused, fused=False), unfused)):
        for _ in range(25):
            drawn = draw_fault(LINE_GROUND, shape, rng)
            counts.append(int(drawn.description.split("lower ")[1].split(" of")[0]))
    nodes = Nodes(fused, np.array([1000.0]), np.array([25.0]), np.array([-1.3]))
    at = np.array([[12 * MODULE.voltage]])
    back = {n: -curve_at(shorted_string(nodes, n), at)[0, 0] / nodes.photo[0] for n in range(1, 13)}
    assert max(back[n] for n in held) <= FUSE_BLOWS
    assert max(back[n] for n in unfused) > FUSE_BLOWS
    texts = {draw_fault(OPEN_CIRCUIT, fused, rng).description for _ in range(25)}
    assert any("a fuse has cleared a short" in text for text in texts)


def severities(name, number=60):
    drawn = []
    for seed in range(number):
        rng = np.random.default_rng(seed)
        shape = draw_shape(rng)
        drawn.append(draw_fault(name, shape, rng).severity)
    return np.array(drawn)


def test_shorts_and_shadows_are_equally_severe():
    """Else they could be told by their size; what an open string or an arc takes is set by the array."""
    quantiles = [np.quantile(severities(name), (0.2, 0.5, 0.8)) for name in (LINE_LINE, LINE_GROUND, PARTIAL_SHADING)]
    wanted = np.log(LEAST_SEVERITY) + np.array([0.2, 0.5, 0.8]) * np.log(MOST_SEVERITY / LEAST_SEVERITY)
    for found in quantiles:
        np.testing.assert_allclose(np.log(found), np.log(quantiles[0]), atol=0.4)
        np.testing.assert_allclose(np.log(found), wanted, atol=0.7)


def struck(name, course, hours=0.0, seed=0):
    """A device with clean sensors and a fault of a course that began so many hours before the day, and its twin."""
    rng = np.random.default_rng(seed)
    device = simulate_fleet(1, [DAY], seed=1, faulty=0, sites=(SITE,), shape=ArrayShape(MODULE, 10, 2)).devices[0]
    device = device.with_clean_sensors()
    drawn = (draw_fault(name, device.shape, rng) for _ in range(200))
    fault = next(fault for fault in drawn if fault.course == course and fault.severity > 0.06)
    onset = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC) - timedelta(hours=hours)
    return replace(device, fault=fault, onset=onset)


def loss(device, day=DAY):
    """Share of the twin's power that is missing in each slot of the bright part of a clear day."""
    weather = simulate_weather(SITE, day, np.random.default_rng(1))
    faulty, twin = (simulate_day(d, day, weather).truth for d in (device, device.healthy_twin()))
    noon = slice(1500, 2700)
    return 1 - (faulty[noon, 0] * faulty[noon, 1]) / (twin[noon, 0] * twin[noon, 1])


@pytest.mark.parametrize("name", [LINE_LINE, LINE_GROUND, PARTIAL_SHADING])
def test_a_growing_fault_begins_with_nothing_and_ends_at_its_severity(name):
    device = struck(name, "growing")
    begun = datetime(DAY.year, DAY.month, DAY.day, 9, tzinfo=UTC)
    young = loss(replace(device, onset=begun))
    old = loss(replace(device, onset=begun - timedelta(days=10)))
    first = young[122]  # two slots after the onset
    assert 0 <= first < 0.05
    assert np.median(old) > max(first + 0.03, 0.4 * device.fault.severity)


@pytest.mark.parametrize("name", FAULTS[1:])
def test_an_array_is_solved_around_every_depth_that_its_fault_has(name):
    """From the first hour to the tenth day, under all shares of beam; beyond its nodes a table knows no better."""
    rng = np.random.default_rng(7)
    hour, beam_share = np.arange(4320) / 180, np.tile([0.0, 0.5, 1.0], 1440)
    for _ in range(20):
        fault = draw_fault(name, draw_shape(rng), rng)
        for day in (0, 1, 4, 9):
            state, depth = fault.schedule(Moments(beam_share, hour, hour + 24 * day, np.random.default_rng(day)))
            own = depth[state != NOTHING]
            if len(fault.depths) > 1 and len(own):
                assert fault.depths[0] <= own.min()
                assert own.max() <= fault.depths[-1]
            else:
                assert (own == 1).all()


def test_a_contact_that_gets_worse_takes_more_and_more_until_the_string_is_open():
    device = struck(OPEN_CIRCUIT, "growing")
    begun = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC)
    over = [np.median(loss(replace(device, onset=begun - timedelta(days=days)))) for days in (0, 3, 10)]
    assert over[-1] == pytest.approx(device.fault.severity, abs=0.03)
    assert (np.diff(over) > 0).all()


@pytest.mark.parametrize("name", [LINE_LINE, LINE_GROUND, OPEN_CIRCUIT, ARC_FAULT])
def test_an_intermittent_fault_is_there_for_a_while_and_gone_for_a_while(name):
    shares = []
    for seed in range(6):
        gone = np.abs(loss(struck(name, "intermittent", hours=24, seed=seed))) < 0.02
        shares.append(gone.mean())
    assert 0.05 < np.mean(shares) < 0.95
    assert max(shares) > 0.2


def test_a_shadow_that_passes_comes_back_at_the_same_solar_time_every_day():
    device = struck(PARTIAL_SHADING, "recurring", hours=24)
    hours = []
    for number in range(0, 60, 20):
        day = DAY + timedelta(days=number)
        weather = simulate_weather(SITE, day, np.random.default_rng(1))
        faulty, twin = (simulate_day(d, day, weather).truth for d in (device, device.healthy_twin()))
        differs = np.abs(faulty[:, 1] - twin[:, 1]) > 0.02 * device.rated_current
        differs |= np.abs(faulty[:, 0] - twin[:, 0]) > 0.02 * device.rated_voltage
        hours.append(SITE.solar_hours()[differs].mean())
    assert np.ptp(hours) < 0.4


def test_the_reference_array_has_every_kind_of_fault_at_one_severity_or_more():
    names = {fault.name for fault in reference_faults()}
    assert names == set(FAULTS[1:]) - {ARC_FAULT}
    for fault in reference_faults():
        assert fault.severity == pytest.approx(measure_severity(reference_shape(), fault))
        assert fault.severity > 0.1
    open_strings = sorted(fault.severity for fault in reference_faults() if fault.name == OPEN_CIRCUIT)
    np.testing.assert_allclose(open_strings, [1 / 3, 2 / 3, 1], rtol=1e-3)


def test_a_clean_reference_fleet_measures_what_is_there():
    fleet = simulate_reference_fleet(10, [DAY], seed=2, faulty=0.5, clean=True)
    noisy = simulate_reference_fleet(10, [DAY], seed=2, faulty=0.5)
    assert fleet.labels.equals(noisy.labels)
    assert len(fleet.labels) == 5
    assert len(fleet.readings(DAY)) == 10 * 4320
    assert len(noisy.readings(DAY)) < 10 * 4320
    device = fleet.devices[0]
    weather = simulate_weather(device.site, DAY, np.random.default_rng(0))
    day = simulate_day(device, DAY, weather)
    np.testing.assert_allclose(day.readings, day.truth, atol=1e-3)
