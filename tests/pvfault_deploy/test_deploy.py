"""A deployment: in order, asked for, repeatable, and clear about what is in its way."""

from dataclasses import replace

import pytest

from pvfault.errors import PvfaultError
from pvfault_deploy import stacks
from pvfault_deploy.deploy import deploy, look, rehearse
from pvfault_deploy.stacks import CONCERNS, FOUNDATIONS, Template, resolve_parameters
from tests.pvfault_deploy.helpers import Recorder, change_sets, deployment_for, push_images
from tests.standins import cloudformation

# moto's CloudFormation says of each resource that it has no class for that it has none.
pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse:UserWarning")

NAMES = [stacks.stack_name("prod", concern) for concern in CONCERNS]
FIRST, REST = NAMES[: len(FOUNDATIONS)], NAMES[len(FOUNDATIONS) :]


@pytest.fixture
def deployment(checkout):
    return deployment_for(checkout)


@pytest.fixture
def deployed(deployment, account):
    """Everything is there."""
    with pytest.raises(PvfaultError, match="images of this release are not there"):
        deploy(deployment, account, Recorder())
    push_images(account, deployment.release.name)
    assert deploy(deployment, account, Recorder())
    return deployment


def parameters_stored(account):
    found = account.client("ssm").get_parameters_by_path(Path="/pvfault/prod/", Recursive=True, MaxResults=10)
    rest = account.client("ssm").get_parameters_by_path(
        Path="/pvfault/prod/", Recursive=True, MaxResults=10, NextToken=found["NextToken"]
    )
    return {entry["Name"].split("/")[-1]: entry["Value"] for entry in found["Parameters"] + rest["Parameters"]}


def test_buckets_and_repositories_come_first_then_the_release_then_the_rest(deployment, account):
    """A container cannot start from an image that is not there, so a user is asked for it before any is to start."""
    first = Recorder()
    with pytest.raises(PvfaultError) as refusal:
        deploy(deployment, account, first)
    assert first.recorded("new") == FIRST
    for image in ("emr", "dagster", "answers"):
        assert f"-f infra/images/{image}/Dockerfile" in str(refusal.value)
        assert f"pvfault-prod/{image}:{deployment.release.name}" in str(refusal.value)
    folder = f"releases/{deployment.release.name}/"
    found = account.client("s3").list_objects_v2(Bucket="acme-pv-bootstrap", Prefix=folder)["Contents"]
    assert len(found) == len(deployment.release.files) + 1

    push_images(account, deployment.release.name)
    second = Recorder()
    assert deploy(deployment, account, second)
    assert second.recorded("unchanged") == FIRST
    assert second.recorded("new") == REST


def test_what_one_stack_makes_is_what_the_next_one_is_given(deployed, account):
    outputs = {concern: stack.outputs for concern, stack in look("prod", account).items()}
    cluster = outputs["streaming"]["ClusterArn"]
    assert parameters_stored(account) == {
        "PVFAULT_ENV": "aws",
        "PVFAULT_BUCKETS": "acme-pv",
        "PVFAULT_MSK_CLUSTER_ARN": cluster,
        "PVFAULT_TOPIC": "pv-readings",
        "PVFAULT_FIRST_DATE": "2026-11-01",
        "PVFAULT_LATENESS_HOURS": "2",
        "PVFAULT_REGISTRY": "s3://acme-pv-bootstrap/devices.csv",
        "PVFAULT_RELEASE": f"s3://acme-pv-bootstrap/releases/{deployed.release.name}",
        "PVFAULT_EMR_APPLICATION_ID": outputs["spark"]["ApplicationId"],
        "PVFAULT_EMR_JOB_ROLE_ARN": outputs["roles"]["JobRoleArn"],
        "PVFAULT_SNS_TOPIC_ARN": outputs["notifications"]["NotificationTopicArn"],
    }
    policy = account.client("iam").get_role_policy(RoleName="pvfault-prod-job", PolicyName="job")["PolicyDocument"]
    assert f"'{cluster.replace(':cluster/', ':topic/')}/pv-readings'" in str(policy)


@pytest.mark.parametrize("given", [{"BucketPrefix": "acme-pv", "FirstDate": "2026-11-01"}, {}])
def test_deploying_again_changes_nothing_also_if_what_was_given_is_left_out(deployed, account, given):
    """A prefix that has to be typed each time is mistyped one time, and then there are five more buckets."""
    again = Recorder()
    assert not deploy(replace(deployed, given=given), account, again)
    assert again.recorded("unchanged") == NAMES


def test_the_buckets_keep_their_names(deployment, account):
    with pytest.raises(PvfaultError):
        deploy(deployment, account, Recorder(refuses="pvfault-prod-images"))
    with pytest.raises(PvfaultError, match="--prefix is 'other-pv', but the buckets of prod begin with 'acme-pv'"):
        deploy(replace(deployment, given={"BucketPrefix": "other-pv"}), account, Recorder())


def test_a_new_release_changes_what_runs_it_and_nothing_else(deployed, checkout, account):
    with (checkout / "pvfault_assets" / "schedules.py").open("a") as file:
        file.write("# changed\n")
    changed = deployment_for(checkout)
    with pytest.raises(PvfaultError, match="images of this release"):
        deploy(changed, account, Recorder())
    push_images(account, changed.release.name)
    seen = Recorder()
    assert deploy(changed, account, seen)
    assert seen.recorded("changes") == [
        stacks.stack_name("prod", concern) for concern in ("spark", "parameters", "answers", "dagster")
    ]
    found = look("prod", account)
    assert found["parameters"].parameters["Release"] == changed.release.name
    assert found["dagster"].parameters["DagsterImage"].endswith(f"pvfault-prod/dagster:{changed.release.name}")
    assert found["answers"].parameters["AnswersImage"].endswith(f"pvfault-prod/answers:{changed.release.name}")
    assert found["spark"].parameters["JobImage"].endswith(f"pvfault-prod/emr:{changed.release.name}")


def test_nothing_is_changed_that_was_not_agreed_to(deployment, account):
    with pytest.raises(PvfaultError, match="pvfault-prod-images was left as it is, and so was everything after it"):
        deploy(deployment, account, Recorder(refuses="pvfault-prod-images"))
    found = look("prod", account)
    assert found["storage"].status == "CREATE_COMPLETE"
    assert not any(found[concern].is_there for concern in CONCERNS[1:])
    assert account.client("ecr").describe_repositories()["repositories"] == []


def test_what_is_not_agreed_to_leaves_nothing_behind(deployment, account):
    with pytest.raises(PvfaultError):
        deploy(deployment, account, Recorder(refuses="pvfault-prod-images"))
    found = account.client("cloudformation").describe_stacks()["Stacks"]
    assert [stack["StackName"] for stack in found] == ["pvfault-prod-storage"]


def deploy_foundations(deployment, account):
    """Somebody else deploys as far as that goes without images."""
    with pytest.raises(PvfaultError, match="images of this release are not there"):
        deploy(deployment, account, Recorder())


def test_saying_no_to_a_stack_that_somebody_else_made_meanwhile_leaves_it_to_them(deployment, account):
    """It was deleted by its name, with everything that was in it by then."""
    slow = Recorder(
        refuses="pvfault-prod-images",
        meanwhile={"pvfault-prod-images": lambda: deploy_foundations(deployment, account)},
    )
    with pytest.raises(PvfaultError, match="pvfault-prod-images was left as it is"):
        deploy(deployment, account, slow)
    assert look("prod", account)["images"].status == "CREATE_COMPLETE"
    names = {found["repositoryName"] for found in account.client("ecr").describe_repositories()["repositories"]}
    assert names == {"pvfault-prod/emr", "pvfault-prod/dagster", "pvfault-prod/answers"}


def test_saying_yes_to_a_stack_that_somebody_else_made_meanwhile_is_refused(deployment, account):
    """What was agreed to is making it, and not whatever it takes to change theirs."""
    slow = Recorder(meanwhile={"pvfault-prod-images": lambda: deploy_foundations(deployment, account)})
    with pytest.raises(PvfaultError, match=r"somebody else is deploying pvfault-prod-images .*deploy again"):
        deploy(deployment, account, slow)
    assert look("prod", account)["images"].status == "CREATE_COMPLETE"


def test_saying_no_to_changes_leaves_those_that_somebody_else_made_meanwhile(deployed, account):
    def change():
        assert deploy(replace(deployed, given={"LatenessHours": "7"}), account, Recorder())

    slow = Recorder(refuses="pvfault-prod-parameters", meanwhile={"pvfault-prod-parameters": change})
    with pytest.raises(PvfaultError, match="pvfault-prod-parameters was left as it is"):
        deploy(replace(deployed, given={"LatenessHours": "5"}), account, slow)
    assert parameters_stored(account)["PVFAULT_LATENESS_HOURS"] == "7"


def test_changes_are_not_made_to_a_stack_that_somebody_else_has_changed_since_they_were_shown(deployed, account):
    def change():
        assert deploy(replace(deployed, given={"LatenessHours": "7"}), account, Recorder())

    slow = Recorder(meanwhile={"pvfault-prod-parameters": change})
    with pytest.raises(PvfaultError, match=r"somebody else is deploying pvfault-prod-parameters .*deploy again"):
        deploy(replace(deployed, given={"LatenessHours": "5"}), account, slow)
    assert parameters_stored(account)["PVFAULT_LATENESS_HOURS"] == "7"


def test_a_rehearsal_shows_everything_and_changes_nothing(deployment, account):
    seen = Recorder()
    rehearse(deployment, account, seen)
    assert seen.recorded("new") == NAMES
    assert ("pvfault-prod-catalog", "new", ["Database"]) in seen.lines
    assert account.client("cloudformation").describe_stacks()["Stacks"] == []
    assert account.client("s3").list_buckets()["Buckets"] == []


def test_a_rehearsal_over_what_is_there_shows_the_differences_and_leaves_no_change_set(deployed, account):
    seen = Recorder()
    rehearse(replace(deployed, given={"LatenessHours": "5"}), account, seen)
    assert seen.recorded("changes") == ["pvfault-prod-parameters"]
    assert parameters_stored(account)["PVFAULT_LATENESS_HOURS"] == "2"
    left = {found["ExecutionStatus"] for found in change_sets(account, "pvfault-prod-parameters")}
    assert left == {"EXECUTE_COMPLETE"}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"BucketPrefix": ""}, "the bucket prefix is ''"),
        ({"BucketPrefix": "Acme_PV"}, "expected 3 to 50 of a-z, 0-9 and -"),
        ({"MaximumCpu": "64"}, "no template has a parameter MaximumCpu; there are .*MaximumVcpu"),
    ],
)
def test_a_value_that_cannot_be_is_refused_before_anything_is_asked_of_amazon(checkout, given, words):
    with pytest.raises(PvfaultError, match=words):
        deployment_for(checkout, **given)


def test_what_only_a_user_knows_is_asked_for_by_its_option(deployment, account):
    with pytest.raises(PvfaultError, match="give what their names shall begin with, as in --prefix"):
        rehearse(replace(deployment, given={}), account, Recorder())
    with pytest.raises(PvfaultError, match=r"pvfault-prod-parameters needs FirstDate .*give --first-date YYYY-MM-DD"):
        rehearse(replace(deployment, given={"BucketPrefix": "acme-pv"}), account, Recorder())


def test_a_resource_that_fails_is_named_with_its_reason_and_not_those_that_were_cancelled(deployment, account):
    reason = "acme-pv-bootstrap already exists"
    with (
        cloudformation.failing("BootstrapBucket", "AWS::S3::Bucket", reason),
        pytest.raises(
            PvfaultError, match=rf"could not be made: BootstrapBucket \(AWS::S3::Bucket\): {reason}; mend that"
        ),
    ):
        deploy(deployment, account, Recorder())


def test_a_stack_that_fails_and_is_cleared_away_still_says_why(deployment, account):
    """A stack that is gone has no name any more; asked for by it, there was a traceback instead of the reason."""
    failing = cloudformation.failing("RawBucket", "AWS::S3::Bucket", "no more buckets", cleared_away=True)
    with failing, pytest.raises(PvfaultError, match=r"RawBucket \(AWS::S3::Bucket\): no more buckets"):
        deploy(deployment, account, Recorder())


def test_a_stack_that_was_rolled_back_says_what_was_wrong_and_how_to_get_rid_of_it(deployment, account):
    """CloudFormation's own answer is that such a stack cannot be updated, which tells nobody what to do."""
    with cloudformation.failing("RawBucket", "AWS::S3::Bucket", "no more buckets"), pytest.raises(PvfaultError):
        deploy(deployment, account, Recorder())
    with pytest.raises(PvfaultError) as refusal:
        deploy(deployment, account, Recorder())
    for words in (
        "ROLLBACK_COMPLETE",
        "RawBucket",
        "no more buckets",
        f"delete-stack --stack-name {cloudformation.stack('pvfault-prod-storage').stack_id}",
    ):
        assert words in str(refusal.value)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("UPDATE_IN_PROGRESS", "somebody is changing it; wait"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback --stack-name pvfault-prod-storage"),
        ("DELETE_FAILED", "delete-stack"),
    ],
)
def test_a_stack_that_cannot_be_changed_is_refused_with_what_to_do(deployment, account, status, words):
    with pytest.raises(PvfaultError):
        deploy(deployment, account, Recorder(refuses="pvfault-prod-images"))
    cloudformation.stack("pvfault-prod-storage").status = status
    with pytest.raises(PvfaultError, match=words):
        deploy(deployment, account, Recorder())


def test_a_parameter_is_taken_from_the_user_then_from_earlier_stacks_then_from_what_is_there():
    text = "Parameters: {A: {}, B: {}, C: {}, D: {Default: x}, E: {}}\nResources: {}"
    values, missing = resolve_parameters(
        Template("any", text), {"A": "given"}, {"A": "output", "B": "output"}, {"A": "is", "B": "is", "C": "is"}
    )
    assert values == {"A": "given", "B": "output", "C": "is"}
    assert missing == ["E"]
