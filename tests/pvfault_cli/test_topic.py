"""`pvfault topic`: what a script can trust, and what a person reads."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from confluent_kafka import Producer

from tests.pvfault_cli.test_main import run
from tests.pvfault_gateway.helpers import create_topic

pytestmark = pytest.mark.broker


@pytest.fixture
def topic_command(environment):
    """`pvfault topic` for a topic of the test's own that is not there yet."""
    name = f"{environment['PVFAULT_TOPIC']}-cli"
    return lambda *command: run("topic", *command, env=environment | {"PVFAULT_TOPIC": name})


def test_a_topic_is_created_once_and_stays_as_it_is(topic_command):
    assert (topic_command("show").exit_code, topic_command("show").stdout[:17]) == (1, "There is no topic")
    created = topic_command("create", "--partitions", 3, "--retention-days", 7)
    assert (created.exit_code, created.stdout[:8]) == (0, "Created:")
    assert "3 partitions, readings kept for 7 days" in created.stdout
    for same in (("create",), ("create", "--partitions", 3), ("create", "--retention-days", 7)):
        again = topic_command(*same)
        assert (again.exit_code, again.stdout) == (0, created.stdout.replace("Created", "There already"))
    for other in (("create", "--partitions", 8), ("create", "--retention-days", -1)):
        refused = topic_command(*other)
        assert refused.exit_code == 2
        assert "not as asked, and stays as it is" in refused.stderr
    assert "3 partitions, readings kept for 7 days" in topic_command("show").stdout
    assert topic_command("create", "--retention-days", 0).exit_code == 2


def test_a_topic_whose_records_are_ahead_of_the_clock_is_pointed_out(topic_command, broker, environment):
    """Ingest puts it aside; who sent it should learn of it before."""
    # As on MSK Serverless, where a topic cannot refuse such records, and other gateways than ours can send them.
    name = f"{environment['PVFAULT_TOPIC']}-cli"
    create_topic(replace(broker, topic=name))
    assert "0 records." in topic_command("show").stdout
    producer = Producer({"bootstrap.servers": broker.broker})
    for hours, is_noted in ((0, False), (24, True)):
        at = datetime.now(UTC) + timedelta(hours=hours)
        producer.produce(name, b"", timestamp=int(at.timestamp() * 1000))
        assert producer.flush(10) == 0
        answer = topic_command("show")
        assert f"the newest of {at:%Y-%m-%d %H:%M:%S} UTC." in answer.stdout
        assert ("ahead of the clock" in answer.stderr) is is_noted
