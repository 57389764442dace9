"""Who may do what on AWS: no wildcard where something narrower would do."""

import json
import re
from importlib.resources import files
from pathlib import Path

import boto3
import pytest
from moto.iam.access_control import IAMPolicy, PermissionResult

from pvfault_deploy.stacks import read_templates

PROJECT = Path(__file__).parent.parent.parent
# cfn-lint's copy of Amazon's Service Authorization Reference: which resources each action can be limited to, if any.
ACTIONS = json.loads((files("cfnlint.data.AdditionalSpecs") / "Policies.json").read_text())
# Written out with their reason where a part of a name cannot be known beforehand.
OPEN_ENDS = {
    "applications/*": "the repository is made before the application",
    "jobruns/*": "job runs of the one application",
    "releases/*": "releases of the one bucket", "-raw/*": "tables", "-silver/*": "tables", "-gold/*": "tables",
    "-log/*": "logs", "-log/dagster/*": "Dagster's own logs",
    "table/pvfault/*": "tables of the one database",
    "/spark-kafka-*": "Spark names its consumer groups itself",
    "-run:*": "revisions of the one task definition", "task/pvfault-${Stage}/*": "tasks of the one cluster",
    ":secret:pvfault/${Stage}/token-*": "Secrets Manager ends each name with six letters of its own",
    ":network-interface/*": "Lambda makes and removes them", ":subnet/*": "where it makes them",
    ":security-group/*": "with which it makes them",
    "log-stream:*": "streams of the one log group", "parameter/pvfault/${Stage}/*": "parameters of the one deployment",
}  # fmt: skip


def statements():
    """Every statement of every policy in the templates, with where it stands; roles' trust too."""
    for template in read_templates(PROJECT):
        for name, resource in template.resources.items():
            properties = resource.get("Properties", {})
            documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
            documents += [
                properties[key]
                for key in ("PolicyDocument", "AssumeRolePolicyDocument", "RepositoryPolicyText")
                if key in properties
            ]
            for document in documents:
                for number, statement in enumerate(document["Statement"]):
                    yield f"{template.concern}.yaml {name} {statement.get('Sid', number)}", statement


STATEMENTS = dict(statements())
ALLOWED = {where: statement for where, statement in STATEMENTS.items() if statement["Effect"] == "Allow"}


def as_list(value):
    return value if isinstance(value, list) else [value]


def text_of(resource):
    """A resource as text; what is no text is another resource's own ARN."""
    if isinstance(resource, dict):
        inner = resource.get("Fn::Sub", "arn:exact")
        return inner[0] if isinstance(inner, list) else inner
    return resource


def resources_for(action):
    """Kinds of resources that an action can be limited to; none if only `*` is possible."""
    service, name = action.split(":")
    return ACTIONS[service]["Actions"][name.lower()].get("Resources", [])


def test_all_policies_are_found():
    """The other tests look at nothing if a property is spelled in another way."""
    assert len(STATEMENTS) >= 40
    assert {where.split()[1] for where in STATEMENTS} >= {
        "JobRole",
        "DagsterRole",
        "ExecutionRole",
        "GatewayRole",
        "ApiRole",
    }


@pytest.mark.parametrize("where", ALLOWED)
def test_every_action_is_named(where):
    for action in as_list(ALLOWED[where]["Action"]):
        assert "*" not in action
        assert "?" not in action
        service, name = action.split(":")
        # Trust policies' sts:AssumeRole is there too, so nothing escapes the reference.
        assert name.lower() in ACTIONS[service]["Actions"], f"Amazon has no action {action}"
    assert "NotAction" not in ALLOWED[where]
    assert "NotResource" not in ALLOWED[where]


@pytest.mark.parametrize("where", ALLOWED)
def test_a_star_stands_alone_only_for_actions_that_take_no_resource(where):
    for resource in as_list(ALLOWED[where].get("Resource", [])):
        if text_of(resource) == "*":
            narrower = {action: resources_for(action) for action in as_list(ALLOWED[where]["Action"])}
            assert {action: kinds for action, kinds in narrower.items() if kinds} == {}


@pytest.mark.parametrize("where", ALLOWED)
def test_a_star_within_a_resource_has_a_reason(where):
    statement = ALLOWED[where]
    sources = [text_of(value) for condition in statement.get("Condition", {}).values() for value in condition.values()]
    for text in [text_of(resource) for resource in as_list(statement.get("Resource", []))] + sources:
        if text != "*" and "*" in text:
            assert text.count("*") == 1
            assert text.endswith(tuple(OPEN_ENDS)), text


@pytest.mark.parametrize(
    "where", [where for where, found in ALLOWED.items() if "iam:PassRole" in as_list(found["Action"])]
)
def test_a_role_is_passed_to_one_service_alone(where):
    """Whoever may pass a role to anything may become it."""
    statement = ALLOWED[where]
    assert as_list(statement["Action"]) == ["iam:PassRole"]
    assert set(statement["Condition"]["StringEquals"]) == {"iam:PassedToService"}
    assert all("Fn::GetAtt" in resource for resource in as_list(statement["Resource"]))


@pytest.mark.parametrize("where", [where for where, found in ALLOWED.items() if "Principal" in found])
def test_only_services_are_trusted_and_only_on_our_account_s_behalf(where):
    """A service that acts for anybody could be made to act on ours by a stranger (the confused deputy)."""
    statement = ALLOWED[where]
    assert set(statement["Principal"]) == {"Service"}
    assert {"aws:SourceAccount", "aws:SourceArn"} & {
        key for condition in statement["Condition"].values() for key in condition
    }


@pytest.mark.parametrize("where", sorted(set(STATEMENTS) - set(ALLOWED)))
def test_what_is_denied_is_denied_to_everybody_or_to_the_role_itself(where):
    if "Principal" in STATEMENTS[where]:
        assert STATEMENTS[where]["Principal"] == "*"


def test_the_code_of_the_function_may_not_do_what_its_role_may_for_the_service():
    """Lambda makes network interfaces by the function's role; the code in it could make and remove any."""
    (denied,) = [found for where, found in STATEMENTS.items() if where.split()[1:] == ["ApiRole", "NotByTheFunction"]]
    allowed = {
        action
        for where, found in ALLOWED.items()
        if where.split()[1] == "ApiRole"
        for action in as_list(found["Action"])
        if action.startswith("ec2:")
    }
    assert set(denied["Action"]) == allowed
    ((key, function),) = denied["Condition"]["ArnEquals"].items()
    assert key == "lambda:SourceFunctionArn"
    assert function["Fn::Sub"].endswith(":function:pvfault-${Stage}-answers")


@pytest.mark.parametrize("role", ["ApiRole", "JobRole", "DagsterRole"])
def test_a_table_is_written_by_jobs_alone(role):
    writes = {"s3:PutObject", "s3:DeleteObject"}
    written = [
        text_of(resource)
        for where, statement in ALLOWED.items()
        if where.split()[1] == role and writes & set(as_list(statement["Action"]))
        for resource in as_list(statement["Resource"])
    ]
    tables = [text for text in written if text.endswith(("-raw/*", "-silver/*", "-gold/*"))]
    assert len(tables) == (3 if role == "JobRole" else 0)


def filled(value):
    """A template's value as it is in a deployment of these names."""
    names = {
        "AWS::Partition": "aws", "AWS::Region": "eu-central-1", "AWS::AccountId": "123456789012", "Stage": "prod",
        "BucketPrefix": "acme-pv", "ApplicationId": "00f1", "Topic": "pv-readings", "ClusterArn": CLUSTER,
        "Cluster": "pvfault-prod/6ab3", "NotificationTopicArn": "arn:sns", "DatabaseSecretArn": "arn:secret",
        "DagsterImagesArn": "arn:images",
    }  # fmt: skip
    if isinstance(value, list):
        return [filled(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    if "Ref" in value:
        return names[value["Ref"]]
    if "Fn::GetAtt" in value:
        return f"arn:{value['Fn::GetAtt'][0]}"
    if "Fn::Sub" in value:
        return re.sub(r"\$\{([^}]+)\}", lambda found: names[found[1]], text_of(value))
    return {key: filled(inner) for key, inner in value.items()}


CLUSTER = "arn:aws:kafka:eu-central-1:123456789012:cluster/pvfault-prod/6ab3"
HERE = "eu-central-1:123456789012:"
SECRETS = f"arn:aws:secretsmanager:{HERE}secret:"
APPLICATION = f"arn:aws:emr-serverless:{HERE}/applications/00f1"


@pytest.mark.parametrize(
    ("role", "action", "resource", "may"),
    [
        ("JobRole", "s3:PutObject", "arn:aws:s3:::acme-pv-raw/pvfault/readings/data/1.parquet", True),
        ("JobRole", "s3:GetObject", "arn:aws:s3:::acme-pv-bootstrap/releases/0.1.0-1/lenet5.h5", True),
        ("JobRole", "s3:PutObject", "arn:aws:s3:::acme-pv-bootstrap/releases/0.1.0-1/lenet5.h5", False),
        ("JobRole", "s3:PutObject", "arn:aws:s3:::acme-pv-log/messages/1/1.json", True),
        ("JobRole", "s3:PutObject", "arn:aws:s3:::other-raw/pvfault/readings/data/1.parquet", False),
        ("JobRole", "glue:UpdateTable", f"arn:aws:glue:{HERE}table/pvfault/readings", True),
        ("JobRole", "glue:UpdateTable", f"arn:aws:glue:{HERE}table/other/readings", False),
        ("JobRole", "kafka-cluster:ReadData", f"arn:aws:kafka:{HERE}topic/pvfault-prod/6ab3/pv-readings", True),
        ("JobRole", "kafka-cluster:ReadData", f"arn:aws:kafka:{HERE}topic/pvfault-prod/6ab3/other", False),
        ("JobRole", "kafka-cluster:WriteData", f"arn:aws:kafka:{HERE}topic/pvfault-prod/6ab3/pv-readings", False),
        (
            "JobRole", "kafka-cluster:DescribeGroup",
            f"arn:aws:kafka:{HERE}group/pvfault-prod/6ab3/spark-kafka-relation-1-driver-0", True,
        ),
        ("GatewayRole", "kafka-cluster:WriteData", f"arn:aws:kafka:{HERE}topic/pvfault-prod/6ab3/pv-readings", True),
        ("GatewayRole", "s3:GetObject", "arn:aws:s3:::acme-pv-raw/pvfault/readings/data/1.parquet", False),
        ("ApiRole", "s3:GetObject", "arn:aws:s3:::acme-pv-gold/pvfault/device_days/data/1.parquet", True),
        ("ApiRole", "s3:GetObject", "arn:aws:s3:::acme-pv-log/messages/1/1.json", False),
        ("ApiRole", "s3:PutObject", "arn:aws:s3:::acme-pv-bootstrap/devices.csv", False),
        ("ApiRole", "secretsmanager:GetSecretValue", f"{SECRETS}pvfault/prod/token-1a", True),
        ("ApiRole", "secretsmanager:GetSecretValue", f"{SECRETS}pvfault/test/token-1a", False),
        ("ApiRole", "glue:UpdateTable", f"arn:aws:glue:{HERE}table/pvfault/readings", False),
        ("ApiRole", "sns:Publish", "arn:sns", True),
        ("ApiRole", "sns:Publish", f"arn:aws:sns:{HERE}other", False),
        ("DagsterRole", "emr-serverless:StartJobRun", APPLICATION, True),
        ("DagsterRole", "emr-serverless:StartJobRun", f"arn:aws:emr-serverless:{HERE}/applications/00f2", False),
        ("DagsterRole", "emr-serverless:CancelJobRun", f"{APPLICATION}/jobruns/00f3", True),
        ("DagsterRole", "s3:GetObject", "arn:aws:s3:::acme-pv-log/messages/1/1.json", True),
        ("DagsterRole", "s3:PutObject", "arn:aws:s3:::acme-pv-log/dagster/1.out", True),
        ("DagsterRole", "s3:PutObject", "arn:aws:s3:::acme-pv-log/messages/1/1.json", False),
        ("DagsterRole", "s3:GetObject", "arn:aws:s3:::acme-pv-raw/pvfault/ledger/data/1.parquet", True),
        ("DagsterRole", "s3:GetObject", "arn:aws:s3:::acme-pv-silver/pvfault/scalograms/data/1.parquet", True),
        ("DagsterRole", "s3:PutObject", "arn:aws:s3:::acme-pv-gold/pvfault/device_days/data/1.parquet", False),
        ("DagsterRole", "iam:PassRole", "arn:DagsterRole", False),
        ("DagsterRole", "ecs:StopTask", f"arn:aws:ecs:{HERE}task/pvfault-prod/1", True),
        ("DagsterRole", "ecs:StopTask", f"arn:aws:ecs:{HERE}task/other/1", False),
        ("ExecutionRole", "ssm:GetParameters", f"arn:aws:ssm:{HERE}parameter/pvfault/prod/PVFAULT_TOPIC", True),
        ("ExecutionRole", "ssm:GetParameters", f"arn:aws:ssm:{HERE}parameter/pvfault/test/PVFAULT_TOPIC", False),
    ],
)  # fmt: skip
def test_a_role_may_do_what_it_has_to_and_not_what_is_next_to_it(role, action, resource, may):
    """By moto's evaluation of policies, with the names of a deployment filled in."""
    found = [
        filled({"Version": "2012-10-17", "Statement": [statement]})
        for where, statement in ALLOWED.items()
        if where.split()[1] == role and "Principal" not in statement
    ]
    results = [IAMPolicy(json.dumps(policy)).is_action_permitted(action, resource) for policy in found]
    assert (PermissionResult.PERMITTED in results) == may


def calls_in(service):
    """Operations of a service that Dagster's own code calls, by the names of boto3's methods."""
    methods = boto3.client(service, region_name="eu-central-1").meta.method_to_api_mapping
    sources = [*(PROJECT / "pvfault_assets").rglob("*.py"), PROJECT / "pvfault_gateway" / "msk.py"]
    words = set(re.findall(r"\w+", "\n".join(path.read_text() for path in sources)))
    # Sessions are another service's word too: botocore has them.
    return {operation for method, operation in methods.items() if method in words and method != "get_session"}


@pytest.mark.parametrize("service", ["emr-serverless", "kafka", "sns"])
def test_dagster_may_call_what_its_code_calls_and_no_more(service):
    """A right that is missing shows in production alone; one that is left over is never taken back."""
    allowed = {
        action.split(":")[1]
        for where, statement in ALLOWED.items()
        if where.split()[1] == "DagsterRole"
        for action in as_list(statement["Action"])
        if action.split(":")[0] == service
    }
    assert allowed == calls_in(service)
