"""What deploying cannot bring back is not given up by a yes that was meant for something else."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from pvfault.errors import PvfaultError
from pvfault_deploy.deploy import deploy, look, rehearse
from pvfault_deploy.losses import HELD
from pvfault_deploy.stacks import read_templates
from tests.pvfault_deploy.helpers import Recorder, change_sets, change_template, deployment_for, push_images

pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse:UserWarning")

TEMPLATES = read_templates(Path(__file__).parent.parent.parent)
# Kinds that are what their templates say and nothing else, so that deploying makes them again.
HOLDS_NOTHING = {
    "AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::Integration", "AWS::ApiGatewayV2::Route", "AWS::ApiGatewayV2::Stage",
    "AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard", "AWS::EC2::RouteTable", "AWS::EC2::SecurityGroup",
    "AWS::EC2::SecurityGroupIngress", "AWS::EC2::Subnet", "AWS::EC2::SubnetRouteTableAssociation", "AWS::EC2::VPC",
    "AWS::EC2::VPCEndpoint", "AWS::ECS::Cluster", "AWS::ECS::Service", "AWS::ECS::TaskDefinition",
    "AWS::Events::Rule", "AWS::IAM::Role", "AWS::IAM::RolePolicy", "AWS::Lambda::Function", "AWS::Lambda::Permission",
    "AWS::RDS::DBSubnetGroup", "AWS::S3::BucketPolicy", "AWS::SNS::Subscription",
    "AWS::SNS::TopicPolicy", "AWS::SSM::Parameter", "AWS::ServiceDiscovery::PrivateDnsNamespace",
    "AWS::ServiceDiscovery::Service",
    "AWS::EMRServerless::Application",  # it lists the job runs of 90 days; what they made is in the tables
}  # fmt: skip


@pytest.fixture
def deployed(checkout, account):
    """Everything is there."""
    deployment = deployment_for(checkout)
    with pytest.raises(PvfaultError):
        deploy(deployment, account, Recorder())
    push_images(account, deployment.release.name)
    assert deploy(deployment, account, Recorder())
    return deployment


def cluster(account):
    return look("prod", account)["streaming"].outputs["ClusterArn"]


def rename_cluster(deployment):
    return change_template(
        deployment, "streaming", 'ClusterName: !Sub "pvfault-${Stage}"', "ClusterName: pvfault-other"
    )


@pytest.mark.parametrize(
    ("concern", "old", "new", "words"),
    [
        (
            "database", "DBName: dagster", "DBName: runs",
            r"Database \(AWS::RDS::DBInstance pvfault-prod\) would be replaced: .*runs and dates.*--lose pvfault-prod",
        ),
        (
            # CloudFormation says of this property that it depends on what is there.
            "database", "BackupRetentionPeriod: 7", "BackupRetentionPeriod: 8",
            r"Database \(AWS::RDS::DBInstance pvfault-prod\) may be replaced: .*--lose pvfault-prod",
        ),
        (
            "storage", "BucketName: !Sub \"${BucketPrefix}-raw\"", "BucketName: !Sub \"${BucketPrefix}-raw2\"",
            r"RawBucket \(AWS::S3::Bucket acme-pv-raw\) would be replaced: its objects stay.*--lose acme-pv-raw",
        ),
        (
            "storage", r"  GoldBucket:\n(    .*\n)+\n  GoldBucketPolicy:\n(    .*\n)+", "",
            r"GoldBucket \(AWS::S3::Bucket acme-pv-gold\) would be removed: its objects stay.*--lose acme-pv-gold",
        ),
    ],
)  # fmt: skip
def test_what_takes_something_away_is_refused_although_everything_is_agreed_to(
    deployed, account, concern, old, new, words
):
    with pytest.raises(PvfaultError) as refusal:
        deploy(change_template(deployed, concern, old, new), account, Recorder())
    assert re.search(words, str(refusal.value), re.DOTALL), refusal.value
    assert all(
        found["ExecutionStatus"] == "EXECUTE_COMPLETE" for found in change_sets(account, f"pvfault-prod-{concern}")
    )


def test_the_readings_of_the_cluster_are_lost_only_by_naming_that_cluster(deployed, account):
    changed, named = rename_cluster(deployed), cluster(account)
    with pytest.raises(PvfaultError) as refusal:
        deploy(changed, account, Recorder())
    for words in (f"Cluster (AWS::MSK::ServerlessCluster {named})", "every reading", f"--lose {named}"):
        assert words in str(refusal.value)
    assert cluster(account) == named

    # A script that allowed the loss of another one, as that of a cluster which is gone by now, has not allowed this.
    with pytest.raises(PvfaultError, match="--lose"):
        deploy(replace(changed, lose=frozenset({named.replace("6ab3dcd8", "00000000")})), account, Recorder())

    seen = Recorder()
    assert deploy(replace(changed, lose=frozenset({named})), account, seen)
    assert seen.recorded("changes") == ["pvfault-prod-streaming"]


def test_who_says_no_is_not_asked_to_name_what_they_do_not_lose(deployed, account):
    """Allowing a loss is no agreement to the changes that bring it."""
    allowed = replace(rename_cluster(deployed), lose=frozenset({cluster(account)}))
    with pytest.raises(PvfaultError, match="pvfault-prod-streaming was left as it is"):
        deploy(allowed, account, Recorder(refuses="pvfault-prod-streaming"))


def test_a_rehearsal_shows_all_changes_and_then_what_would_be_lost(deployed, account):
    changed = replace(rename_cluster(deployed), given={"LatenessHours": "5"})
    changed = change_template(changed, "database", "DBName: dagster", "DBName: runs")
    seen = Recorder()
    with pytest.raises(PvfaultError) as refusal:
        rehearse(changed, account, seen)
    assert seen.recorded("changes") == [
        f"pvfault-prod-{concern}" for concern in ("streaming", "database", "parameters")
    ]
    assert f"--lose {cluster(account)} --lose pvfault-prod" in str(refusal.value)


def test_of_every_kind_of_resource_it_is_known_whether_it_holds_something():
    """A new kind has to be judged before it can be deployed, and not after it was lost."""
    kinds = {resource["Type"] for template in TEMPLATES for resource in template.resources.values()}
    assert kinds == set(HELD) | HOLDS_NOTHING
    assert not set(HELD) & HOLDS_NOTHING


@pytest.mark.parametrize("kind", HELD)
def test_what_is_said_of_a_loss_is_what_the_templates_do(kind):
    """To read "stays" of what is deleted would be the worst of sentences."""
    policies = {
        (resource.get("DeletionPolicy", "Delete"), resource.get("UpdateReplacePolicy", "Delete"))
        for template in TEMPLATES
        for resource in template.resources.values()
        if resource["Type"] == kind
    }
    word = {"Retain": "stay", "Snapshot": "snapshot", "Delete": "gone"}
    assert {(policy, policy) for policy in word if word[policy] in HELD[kind]} == policies
