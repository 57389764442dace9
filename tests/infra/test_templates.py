"""The CloudFormation templates: valid, private, and of one piece with each other and with the settings."""

import ast
import json
import re
from pathlib import Path

import pytest
from cfnlint.api import lint_file

from pvfault_deploy.stacks import CONCERNS, IMAGES, OF_THE_RELEASE, read_templates
from pvfault_server.lambda_handler import UPDATE_ALARMS

PROJECT = Path(__file__).parent.parent.parent
TEMPLATES = {template.concern: template for template in read_templates(PROJECT)}
# What cfn-lint says and we do not follow: rule by template, each with its reason.
EXCEPTIONS: dict[tuple[str, str], str] = {}
# What a user says; everything else a stack is given comes from the release or from an earlier stack.
GIVEN = {"Stage", "BucketPrefix", "FirstDate"}
# Settings of a laptop, and of the function that answers, which has variables of its own. On AWS the brokers are found
# by the cluster's ARN, the model is the release's, and readings go on.
OF_A_LAPTOP = {
    "PVFAULT_ALARMS_DATABASE",
    "PVFAULT_CURRENCY",
    "PVFAULT_HOME",
    "PVFAULT_JARS",
    "PVFAULT_BROKER",
    "PVFAULT_BROKER_IAM_REGION",
    "PVFAULT_LAST_DATE",
    "PVFAULT_MODEL",
    "PVFAULT_TARIFF",
    "PVFAULT_TOKEN",
    "PVFAULT_WEBHOOK_URL",
}


def resources_of(kind):
    return [
        (f"{concern}.yaml {name}", resource.get("Properties", {}))
        for concern, template in TEMPLATES.items()
        for name, resource in template.resources.items()
        if resource["Type"] == kind
    ]


def names_in(value):
    """Every Ref and every ${…} of a Sub somewhere in a value."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "Ref":
                yield inner
            elif key == "Fn::Sub":
                text, local = inner if isinstance(inner, list) else (inner, {})
                yield from set(re.findall(r"\$\{([^.!}]+)", text)) - set(local)
                yield from names_in(local)
            else:
                yield from names_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from names_in(inner)


def settings_read():
    """Names of the settings, from the source of the module that reads them."""
    tree = ast.parse((PROJECT / "pvfault" / "settings.py").read_text())
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and re.fullmatch(r"PVFAULT_[A-Z_]+", str(node.value))
    }


def parameters_stored():
    names = [properties["Name"]["Fn::Sub"] for _, properties in resources_of("AWS::SSM::Parameter")]
    return {name.removeprefix("/pvfault/${Stage}/") for name in names}


def test_every_template_belongs_to_a_stack():
    found = {path.stem for path in (PROJECT / "infra" / "cloudformation").iterdir()}
    assert found == set(CONCERNS)


@pytest.mark.parametrize("concern", CONCERNS)
def test_cfn_lint_finds_nothing(concern):
    """Amazon finds a wrong property half an hour into a deployment; cfn-lint knows the same schemas."""
    found = lint_file(PROJECT / "infra" / "cloudformation" / f"{concern}.yaml")
    assert [str(match) for match in found if (concern, match.rule.id) not in EXCEPTIONS] == []


@pytest.mark.parametrize("concern", CONCERNS)
def test_a_template_is_small_enough_to_be_sent_by_itself(concern):
    """CloudFormation takes 51,200 bytes in a request; beyond that a template has to be in a bucket."""
    assert len(TEMPLATES[concern].text.encode()) <= 51_200


def test_every_parameter_comes_from_somewhere_earlier():
    """A stack whose parameter nobody gives cannot be made, and that would show in the middle of a deployment."""
    known = GIVEN | set(OF_THE_RELEASE)
    lost = []
    for concern, template in TEMPLATES.items():
        lost += [
            f"{concern}.yaml {name}"
            for name, declaration in template.parameters.items()
            if "Default" not in declaration and name not in known
        ]
        known |= set(template.outputs)
    assert lost == []


def test_an_output_has_one_name_everywhere_and_somebody_needs_it_or_a_user_sees_it():
    names = [name for template in TEMPLATES.values() for name in template.outputs]
    assert len(names) == len(set(names))
    used = {name for template in TEMPLATES.values() for name in template.parameters} | {"BootstrapBucketName"}
    # Images are named from the repositories; the others are for stacks of gateways, and for a user.
    shown = {
        "LogBucketName", *IMAGES.values(), "GatewaySecurityGroupId", "GatewayRoleArn", "DagsterCluster",
        "AnswersAddress", "TokenSecretArn",
    }  # fmt: skip
    assert set(names) - used == shown


@pytest.mark.parametrize("concern", CONCERNS)
def test_every_parameter_is_used_and_described(concern):
    template = TEMPLATES[concern]
    used = set(names_in([template.resources, template.outputs, template.content.get("Conditions", {})]))
    assert set(template.parameters) <= used
    assert all(declaration["Description"].endswith(".") for declaration in template.parameters.values())


def test_what_the_settings_read_is_what_the_parameters_give():
    """A setting without a parameter has a laptop's default in production; one without a setting is forgotten."""
    assert settings_read() - OF_A_LAPTOP == parameters_stored()


@pytest.mark.parametrize("task", ["RunTask", "CodeTask"])
def test_containers_with_code_get_every_parameter(task):
    container = TEMPLATES["dagster"].resources[task]["Properties"]["ContainerDefinitions"][0]
    given = {
        secret["Name"]: secret["ValueFrom"]["Fn::Sub"]
        for secret in container["Secrets"]
        if secret["Name"].startswith("PVFAULT_")
    }
    assert set(given) == parameters_stored()
    assert all(source.endswith(f":parameter/pvfault/${{Stage}}/{name}") for name, source in given.items())


def test_every_bucket_is_private_encrypted_versioned_and_cleaned():
    buckets = resources_of("AWS::S3::Bucket")
    assert [properties["BucketName"]["Fn::Sub"] for _, properties in buckets] == [
        f"${{BucketPrefix}}-{purpose}" for purpose in ("bootstrap", "raw", "silver", "gold", "log")
    ]
    for name, properties in buckets:
        assert properties["PublicAccessBlockConfiguration"] == {
            "BlockPublicAcls": True,
            "BlockPublicPolicy": True,
            "IgnorePublicAcls": True,
            "RestrictPublicBuckets": True,
        }, name
        (rule,) = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256", name
        assert properties["VersioningConfiguration"]["Status"] == "Enabled", name
        assert properties["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}], name
        rules = properties["LifecycleConfiguration"]["Rules"]
        assert any("AbortIncompleteMultipartUpload" in rule for rule in rules), name
        assert any("NoncurrentVersionExpiration" in rule for rule in rules), name


def test_every_bucket_refuses_what_does_not_come_by_tls():
    policies = {properties["Bucket"]["Ref"]: properties for _, properties in resources_of("AWS::S3::BucketPolicy")}
    buckets = {name for name, found in TEMPLATES["storage"].resources.items() if found["Type"] == "AWS::S3::Bucket"}
    assert set(policies) == buckets
    for bucket, properties in policies.items():
        name = TEMPLATES["storage"].resources[bucket]["Properties"]["BucketName"]["Fn::Sub"]
        (statement,) = properties["PolicyDocument"]["Statement"]
        assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        arn = f"arn:${{AWS::Partition}}:s3:::{name}"
        assert [resource["Fn::Sub"] for resource in statement["Resource"]] == [arn, f"{arn}/*"]


def test_what_holds_data_outlives_its_stack():
    kept = {"AWS::S3::Bucket", "AWS::Glue::Database", "AWS::RDS::DBInstance", "AWS::SecretsManager::Secret"}
    for concern, template in TEMPLATES.items():
        for name, resource in template.resources.items():
            if resource["Type"] in kept:
                policies = {resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy")}
                assert policies <= {"Retain", "Snapshot"}, f"{concern}.yaml {name}"


def test_nothing_is_reached_from_outside_but_by_the_one_http_api():
    """No way to the internet in either direction, no public address, and no rule that admits one."""
    assert len(resources_of("AWS::ApiGatewayV2::Api")) == 1
    kinds = {resource["Type"] for template in TEMPLATES.values() for resource in template.resources.values()}
    ways = {"AWS::EC2::InternetGateway", "AWS::EC2::NatGateway", "AWS::ElasticLoadBalancingV2::LoadBalancer"}
    assert kinds & (ways | {"AWS::EC2::Route"}) == set()
    assert all(properties["MapPublicIpOnLaunch"] is False for _, properties in resources_of("AWS::EC2::Subnet"))
    (database,) = resources_of("AWS::RDS::DBInstance")
    assert (database[1]["PubliclyAccessible"], database[1]["StorageEncrypted"]) == (False, True)
    services = resources_of("AWS::ECS::Service")
    assert len(services) == 3
    for name, properties in services:
        assert properties["NetworkConfiguration"]["AwsvpcConfiguration"]["AssignPublicIp"] == "DISABLED", name
    rules = [rule for _, properties in resources_of("AWS::EC2::SecurityGroup")
             for rule in properties.get("SecurityGroupIngress", [])]  # fmt: skip
    rules += [properties for _, properties in resources_of("AWS::EC2::SecurityGroupIngress")]
    assert len(rules) == 7
    for rule in rules:
        source = rule.get("CidrIp", rule.get("SourceSecurityGroupId"))
        assert source == {"Fn::Sub": "${NetworkPrefix}.0.0/16"} or "Ref" in source, rule


def test_an_interface_endpoint_is_there_for_every_service_that_dagster_and_jobs_call_and_for_no_other():
    """Without one the call times out, and each of them is paid by the hour in three zones."""
    called = {
        "ec2": "ec2", "ecs": "ecs", "emr-serverless": "emr-serverless", "glue": "glue", "kafka": "kafka",
        "logs": "logs", "sns": "sns", "ssm": "ssm", "ssmmessages": "ssmmessages", "secretsmanager": "secretsmanager",
        "ecr": "ecr.api",
    }  # fmt: skip
    roles = TEMPLATES["roles"].resources
    actions = [
        statement["Action"]
        for name in ("JobRole", "DagsterRole", "ExecutionRole", "ApiRole")
        for policy in roles[name]["Properties"]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
    ]
    actions = {action for named in actions for action in ([named] if isinstance(named, str) else named)}
    services = {action.split(":")[0] for action in actions}
    # S3 has a gateway, brokers are in the network, and roles are passed with a call of another service.
    expected = {called[service] for service in services - {"s3", "kafka-cluster", "iam"}} | {"ecr.dkr"}
    found = {
        properties["ServiceName"]["Fn::Sub"].removeprefix("com.amazonaws.${AWS::Region}.")
        for _, properties in resources_of("AWS::EC2::VPCEndpoint")
        if properties["VpcEndpointType"] == "Interface"
    }
    assert found == expected


def test_the_function_has_the_variables_that_its_code_reads_and_no_secret_in_them():
    source = (PROJECT / "pvfault_server" / "lambda_handler.py").read_text()
    own = set(re.findall(r'"(PVFAULT_(?:TOKEN_SECRET|DATABASE_\w+))"', source))
    assert len(own) == 4
    variables = TEMPLATES["answers"].resources["Function"]["Properties"]["Environment"]["Variables"]
    assert own <= set(variables) <= own | settings_read()
    assert {"PVFAULT_TOKEN", "PVFAULT_ALARMS_DATABASE"}.isdisjoint(variables)
    assert "resolve:" not in TEMPLATES["answers"].text


def test_the_http_api_is_throttled_logged_and_waits_longer_than_the_function_may_take():
    answers = TEMPLATES["answers"].resources
    stage = answers["Address"]["Properties"]
    assert {"ThrottlingRateLimit", "ThrottlingBurstLimit"} <= set(stage["DefaultRouteSettings"])
    assert "authorization" not in stage["AccessLogSettings"]["Format"].lower()
    assert answers["Function"]["Properties"]["Timeout"] < 30
    assert answers["Integration"]["Properties"]["PayloadFormatVersion"] == "2.0"
    assert "CorsConfiguration" not in answers["Api"]["Properties"]


def test_requests_have_to_be_signed_where_that_is_chosen_and_else_the_function_asks_for_the_token():
    answers = TEMPLATES["answers"]
    (route,) = [properties for _, properties in resources_of("AWS::ApiGatewayV2::Route")]
    assert route["RouteKey"] == "$default"
    assert route["AuthorizationType"] == {"Fn::If": ["RequestsAreSigned", "AWS_IAM", "NONE"]}
    assert answers.content["Conditions"]["RequestsAreSigned"] == {"Fn::Equals": [{"Ref": "WhoMayAsk"}, "iam"]}
    choice = answers.parameters["WhoMayAsk"]
    assert (choice["Default"], choice["AllowedValues"]) == ("token", ["token", "iam"])
    # Whatever is chosen, what arrives unsigned has to show the token.
    variables = answers.resources["Function"]["Properties"]["Environment"]["Variables"]
    assert variables["PVFAULT_TOKEN_SECRET"] == {"Ref": "Token"}


def test_alarms_come_up_without_anybody_who_asks_and_are_told_of():
    answers = TEMPLATES["answers"].resources
    (target,) = answers["Hourly"]["Properties"]["Targets"]
    assert json.loads(target["Input"]) == UPDATE_ALARMS
    assert target["Arn"] == {"Fn::GetAtt": ["Function", "Arn"]}
    assert answers["HourlyMayCall"]["Properties"]["SourceArn"] == {"Fn::GetAtt": ["Hourly", "Arn"]}
    variables = answers["Function"]["Properties"]["Environment"]["Variables"]
    assert variables["PVFAULT_SNS_TOPIC_ARN"] == {"Ref": "NotificationTopicArn"}


def test_there_is_never_a_second_daemon():
    """Two of them would start every run twice; the page and the code server, in turn, are replaced without a gap."""
    dagster = TEMPLATES["dagster"].resources
    limits = {
        name: dagster[f"{name}Service"]["Properties"]["DeploymentConfiguration"]["MaximumPercent"]
        for name in ("Daemon", "Webserver", "Code")
    }
    assert limits == {"Daemon": 100, "Webserver": 200, "Code": 200}
    assert dagster["DaemonService"]["Properties"]["DesiredCount"] == 1


def test_names_that_stacks_must_agree_on_without_referring_to_each_other():
    """Cluster, log group and the run's task are named in the roles before they are made."""
    dagster = TEMPLATES["dagster"].resources
    assert dagster["Cluster"]["Properties"]["ClusterName"]["Fn::Sub"] == "pvfault-${Stage}"
    assert dagster["Log"]["Properties"]["LogGroupName"]["Fn::Sub"] == "/pvfault/${Stage}/dagster"
    assert dagster["RunTask"]["Properties"]["Family"]["Fn::Sub"] == "pvfault-${Stage}-run"
    answers = TEMPLATES["answers"].resources
    assert answers["Log"]["Properties"]["LogGroupName"]["Fn::Sub"] == "/pvfault/${Stage}/answers"
    assert answers["Token"]["Properties"]["Name"]["Fn::Sub"] == "pvfault/${Stage}/token"
    assert answers["Function"]["Properties"]["FunctionName"]["Fn::Sub"] == "pvfault-${Stage}-answers"
    assert ":function:pvfault-${Stage}-answers" in TEMPLATES["images"].text
    text = TEMPLATES["roles"].text
    for name in (
        "cluster/pvfault-${Stage}",
        "log-group:/pvfault/${Stage}/dagster:",
        "log-group:/pvfault/${Stage}/answers:",
        "secret:pvfault/${Stage}/token-*",
        "function:pvfault-${Stage}-answers",
        "task-definition/pvfault-${Stage}-run:*",
    ):
        assert name in text


def test_spark_on_aws_is_the_one_that_the_jobs_are_tested_with():
    """emr-spark-8.0.0 runs Spark 4.0.2 (EMR Serverless user guide, release emr-spark-8.0.0)."""
    spark_of = {"emr-spark-8.0.0": "4.0.2"}
    label = TEMPLATES["spark"].resources["Application"]["Properties"]["ReleaseLabel"]
    assert f"pyspark=={spark_of[label]}\n" in (PROJECT / "requirements.lock").read_text()
    image = (PROJECT / "infra" / "images" / "emr" / "Dockerfile").read_text()
    assert f"FROM public.ecr.aws/emr-serverless/spark/{label}:" in image
