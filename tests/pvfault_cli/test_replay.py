"""`pvfault replay`: one's own files, and what is said about those that do not fit."""

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pvfault_gateway.topics import connect, count_records
from tests.pvfault_cli.test_main import PROJECT, run
from tests.pvfault_gateway.helpers import read_topic, read_with_fastavro

HEADER = "ts,V_DC,I_DC,temp,IRR\n"
COLUMNS = {"timestamp": "ts", "voltage": "V_DC", "current": "I_DC", "temperature": "temp", "irradiance": "IRR"}
MAP = [f"--map={name}={column}" for name, column in COLUMNS.items()]
REAL = PROJECT.parent / "shared" / "data" / "ufms" / "inverter_days_1min.parquet"


@pytest.mark.broker
def test_a_file_with_other_names_no_device_and_local_times_arrives(broker, topic, environment, tmp_path):
    path = tmp_path / "plant.csv"
    path.write_text(
        HEADER + "2024-06-01 14:00:00,461.5,5e58,,800\n,1,2,3,4\n2024-06-01 13:00:00,460,7,40,800\n"
        "1970-01-20 15:00:00,460,7,40,800\n2099-01-01 00:00:00,460,7,40,800\n"
    )
    result = run("replay", path, *MAP, "--device", "UFMS000001", "--timezone", "America/Campo_Grande", env=environment)
    assert result.exit_code == 0, result.output
    assert f"2 readings of 1 device reached the topic {topic}" in result.stdout
    assert "no timestamp: 1 row." in result.stdout
    assert "before 2001, as of a clock that was never set (set it): 1 reading, of UFMS000001 (1)." in result.stdout
    assert "clock (set the one that is wrong): 1 reading, of UFMS000001 (1)." in result.stdout
    assert "From 2024-06-01 17:00:00 to 2024-06-01 18:00:00 UTC" in result.stdout
    assert "Dates to materialise (1): 2024-06-01\n" in result.stdout

    (_, key, time, value), (_, _, later, with_gaps) = read_topic(broker, topic, 2)
    assert (key, time) == (b"UFMS000001", datetime(2024, 6, 1, 17, tzinfo=UTC).timestamp() * 1000)
    assert later - time == 3_600_000
    reading = read_with_fastavro(value)
    assert reading == {
        "deviceID": "UFMS000001",
        "timestamp": datetime(2024, 6, 1, 17, tzinfo=UTC),
        "voltage": 460,
        "current": 7,
        "temperature": 40,
        "irradiance": 800,
    }
    reading = read_with_fastavro(with_gaps)
    assert reading["current"] == float("inf")
    assert reading["temperature"] != reading["temperature"]


@pytest.mark.broker
def test_much_older_readings_than_the_topic_holds_are_refused_with_exit_code_2(broker, topic, environment, tmp_path):
    newer, older = (tmp_path / "newer.csv", tmp_path / "older.csv")
    newer.write_text(HEADER + "2024-06-01 14:00:00,460,7,40,800\n")
    older.write_text(HEADER + "2024-05-01 14:00:00,460,7,40,800\n2024-05-03 14:00:00,460,7,40,800\n")
    options = [*MAP, "--device", "UFMS000001"]
    assert run("replay", newer, *options, env=environment).exit_code == 0
    refused = run("replay", older, *options, env=environment)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr.startswith("Error: The topic")
    assert "PVFAULT_TOPIC=NAME" in refused.stderr
    again = run("replay", older, *options, "--again", env=environment)
    assert again.exit_code == 0
    assert (
        "more than 30 days older than what the topic has of them already: 1 reading, of UFMS000001 (1)." in again.stdout
    )
    assert run("replay", older, *options, "--topic", f"{topic}-2", env=environment).exit_code == 0
    counts = count_records(connect(broker))
    assert (counts[topic], counts[f"{topic}-2"]) == (2, 2)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "There is no file"),
        (b"", "is empty"),
        (b"\x00\x01\x02", "not text and not Parquet"),
        (HEADER.encode(), "no rows"),
        (HEADER.encode() + b"2024-06-01 14:00:00,much,7,40,800\n", "'V_DC', line 2 has 'much'"),
        (b"time,V_DC,I_DC,temp,IRR\n2024-06-01 14:00:00,1,7,40,800\n", "--map timestamp=time"),
    ],
)
def test_a_bad_file_is_one_message_and_exit_code_2_before_a_broker_is_asked(tmp_path, content, words):
    path = tmp_path / "plant.csv"
    if content is not None:
        path.write_bytes(content)
    result = run("replay", path, *MAP, "--device", "UFMS000001", env={"PVFAULT_BROKER": "localhost:1"})
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Error: ")
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("pair", ["voltage", "voltage=", "=V_DC", "volts=V_DC"])
def test_a_map_of_the_wrong_form_is_refused(tmp_path, pair):
    path = tmp_path / "plant.csv"
    path.write_text(HEADER)
    result = run("replay", path, "--map", pair)
    assert result.exit_code == 2
    assert "--map" in result.stderr


def test_a_broker_that_is_down_is_one_message_and_exit_code_2(tmp_path, closed_port):
    """In a process of its own: nothing but the message may reach the terminal, from no library's thread either."""
    path = tmp_path / "plant.csv"
    path.write_text(HEADER + "2024-06-01 14:00:00,460,7,40,800\n")
    command = [sys.executable, "-c", "from pvfault_cli.main import main; main()", "replay", path, *MAP]
    done = subprocess.run(
        [*command, "--device", "UFMS000001", "--broker", f"localhost:{closed_port}"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"Error: No Kafka broker answers at localhost:{closed_port}")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.broker
@pytest.mark.skipif(not REAL.exists(), reason="the real inverter readings are not here")
def test_every_real_reading_arrives(broker, topic, environment):
    """Real sensors drop out, and their currents reach 5e58."""
    result = run("replay", REAL, *MAP, "--device", "UFMS000001", "--timezone=-04:00", env=environment)
    assert result.exit_code == 0, result.output
    assert count_records(connect(replace(broker, topic=topic)))[topic] == 124_968
