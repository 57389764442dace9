"""Amazon MSK: brokers found by their cluster, clients known by IAM; against a stand-in that checks both."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from aws_msk_iam_sasl_signer import MSKAuthTokenProvider
from confluent_kafka.admin import ConfigResource, ConfigSource

from pvfault.errors import PvfaultError
from pvfault_gateway import producer as producer_module
from pvfault_gateway import topics as topics_module
from pvfault_gateway.acceptance import prepare_topic
from pvfault_gateway.msk import find_brokers
from pvfault_gateway.producer import ReadingProducer
from pvfault_gateway.topics import (
    MSK_RETENTION_DAYS,
    connect,
    count_records,
    describe_topic,
    ensure_topic,
)
from tests.pvfault_gateway.helpers import NOON, make_readings
from tests.standins.msk import KafkaApi

pytestmark = pytest.mark.broker

# All that a user of MSK Serverless can choose for a topic:
# https://docs.aws.amazon.com/msk/latest/developerguide/serverless-config.html
SERVERLESS_TOPIC_SETTINGS = {
    "cleanup.policy", "compression.type", "max.message.bytes", "message.timestamp.difference.max.ms",
    "message.timestamp.type", "retention.bytes", "retention.ms",
}  # fmt: skip


@pytest.fixture
def api(msk, monkeypatch):
    """Amazon's API, which knows the cluster."""
    api = KafkaApi({msk.arn: {"BootstrapBrokerStringSaslIam": msk.servers}})
    with api.serve() as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_KAFKA", url)
        yield api


@pytest.fixture
def settings(msk, make_settings, tmp_path):
    """Settings that know the cluster by its ARN alone."""
    return make_settings(tmp_path, PVFAULT_MSK_CLUSTER_ARN=msk.arn, PVFAULT_TOPIC=f"test-{tmp_path.name}")


def behind_the_gate(settings, msk):
    return replace(settings, broker=msk.plain_servers, broker_iam_region="")


def an_hour_ago():
    """A time whose readings a topic of two weeks does not drop in the middle of a test."""
    return datetime.now(UTC) - timedelta(hours=1)


def send_slowly(producer, times):
    for at in times:
        producer.send(make_readings([at]))
        time.sleep(0.2)


def test_brokers_are_found_by_the_clusters_arn_in_its_own_region(api, msk, settings):
    api.clusters[msk.arn] = {"BootstrapBrokerStringSaslIam": f"localhost:9,{msk.servers}"}
    found = find_brokers(settings)
    assert (set(found.broker.split(",")), found.broker_iam_region) == ({"localhost:9", msk.servers}, "eu-west-1")
    assert find_brokers(found) == found
    assert api.asked == [msk.arn]
    api.clusters[msk.arn] = {"BootstrapBrokerStringSaslIam": f"{msk.servers},localhost:9"}
    assert find_brokers(settings) == found, "Amazon gives brokers in any order"


def test_a_broker_that_is_named_is_taken_without_asking(settings, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_KAFKA", "http://127.0.0.1:1")
    named = replace(settings, broker="localhost:9092")
    assert find_brokers(named) == named


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ((403, "ForbiddenException", "User is not authorized"), "Allow this role the action kafka:GetBootstrapBrokers"),
        ((404, "NotFoundException", "The requested resource doesn't exist."), "correct PVFAULT_MSK_CLUSTER_ARN"),
        ((400, "BadRequestException", "Cluster ARN is not valid"), "correct PVFAULT_MSK_CLUSTER_ARN"),
        ((403, "ExpiredTokenException", "The security token is expired"), "renew the credentials"),
    ],
)  # fmt: skip
def test_what_amazon_refuses_is_told_with_what_to_do(api, msk, settings, fault, words):
    api.fault = fault
    with pytest.raises(PvfaultError, match=f"(?is){msk.arn}.*{words}"):
        find_brokers(settings)


def test_a_cluster_without_iam_is_told_with_what_it_has(api, msk, settings):
    api.clusters[msk.arn] = {"BootstrapBrokerStringTls": "b-1:9094"}
    with pytest.raises(PvfaultError, match=r"knows clients by IAM \(it has: Tls\)"):
        find_brokers(settings)


def test_without_credentials_it_is_said_at_once(msk, settings, monkeypatch):
    """Librdkafka would wait for a token as long as for a broker, here an hour, and then not say why there is none."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setattr(topics_module, "CONNECT_TIMEOUT_S", 3600)
    with pytest.raises(PvfaultError, match=r"Finding the brokers of .* needs AWS credentials.*aws sso login"):
        find_brokers(settings)
    with pytest.raises(PvfaultError, match=r"Signing in to MSK in eu-west-1 needs AWS credentials.*aws sso login"):
        connect(replace(settings, broker=msk.servers, broker_iam_region=msk.region))
    assert not msk.gate.accepted
    assert not msk.gate.refused


def test_credentials_that_are_broken_off_are_told(msk, settings, monkeypatch):
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(PvfaultError, match="Partial credentials"):
        connect(replace(settings, broker=msk.servers, broker_iam_region=msk.region))


def test_a_signature_that_the_cluster_refuses_is_told_with_its_words(msk, settings, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    monkeypatch.setattr(topics_module, "CONNECT_TIMEOUT_S", 2)
    with pytest.raises(PvfaultError, match=r"Signature does not match.*kafka-cluster:Connect"):
        connect(replace(settings, broker=msk.servers, broker_iam_region=msk.region))
    assert set(msk.gate.refused) == {("OAUTHBEARER", "Signature does not match")}
    assert not msk.gate.accepted


def test_readings_reach_the_topic_through_a_signed_connection(api, msk, settings):
    settings = find_brokers(settings)
    ensure_topic(settings)
    with ReadingProducer(settings) as producer:
        producer.send(make_readings([an_hour_ago()]))
    assert count_records(connect(behind_the_gate(settings, msk)))[settings.topic] == 1
    assert {(each.mechanism, each.access_key, each.host) for each in msk.gate.accepted} == {
        ("OAUTHBEARER", "AKIDEXAMPLE", "kafka.eu-west-1.amazonaws.com")
    }
    assert not msk.gate.refused


def test_a_topic_on_msk_keeps_two_weeks_and_has_only_settings_that_serverless_takes(api, msk, settings):
    settings = find_brokers(settings)
    assert ensure_topic(settings)
    assert not ensure_topic(settings)
    assert describe_topic(settings).retention_days == MSK_RETENTION_DAYS == 14
    resource = ConfigResource(ConfigResource.Type.TOPIC, settings.topic)
    client = connect(behind_the_gate(settings, msk))
    config = client.describe_configs([resource])[resource].result()
    chosen = {
        name: entry.value
        for name, entry in config.items()
        if ConfigSource(entry.source) == ConfigSource.DYNAMIC_TOPIC_CONFIG
    }
    assert set(chosen) <= SERVERLESS_TOPIC_SETTINGS
    assert chosen["retention.bytes"] == "-1"


def test_readings_older_than_a_new_topic_on_msk_would_keep_are_refused_before_it_is_made(api, msk, settings):
    """Made first, it would be in the way of the topic that is wanted."""
    settings = find_brokers(settings)
    with pytest.raises(PvfaultError, match=r"is not there yet, would keep a reading for 14 days"):
        prepare_topic(settings, {"INV0000001": NOON})
    assert describe_topic(settings) is None


def send_as_long_as_it_can_be_signed(settings, msk, monkeypatch):
    times = (an_hour_ago() + timedelta(seconds=number) for number in range(1000))
    with ReadingProducer(settings) as producer:
        msk.gate.accepted.clear()
        until = time.monotonic() + 6
        while time.monotonic() < until:
            producer.send(make_readings([next(times)]))
            time.sleep(0.2)
        assert len({each.signature for each in msk.gate.accepted}) >= 2
        sent = producer.finish()
        assert count_records(connect(behind_the_gate(settings, msk)))[settings.topic] == sent
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        send_slowly(producer, times)


def test_tokens_are_renewed_until_there_is_nothing_to_sign_with(api, msk, settings, monkeypatch):
    """A gateway runs for months on tokens of 15 minutes; if its role is taken away, it must say so."""
    monkeypatch.setattr(MSKAuthTokenProvider, "DEFAULT_TOKEN_EXPIRY_SECONDS", 3)
    monkeypatch.setattr(producer_module, "DELIVERY_TIMEOUT_S", 3)
    settings = find_brokers(settings)
    ensure_topic(settings)
    with pytest.raises(PvfaultError, match=r"not confirmed by the broker.*Signing in to MSK.*needs AWS credentials"):
        send_as_long_as_it_can_be_signed(settings, msk, monkeypatch)
