"""The dashboard and the alarms: of metrics that there are, under the dimensions that they have."""

import json
import re
from pathlib import Path

import pytest
import yaml

from pvfault_deploy.stacks import read_templates

PROJECT = Path(__file__).parent.parent.parent
NAMESPACE = "AWS/EMRServerless"
(TEMPLATE,) = (template for template in read_templates(PROJECT) if template.concern == "observability")
WIDGETS = json.loads(TEMPLATE.resources["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"])["widgets"]
EMITTED = yaml.safe_load((Path(__file__).parent / "emr_serverless_metrics.yaml").read_text())
GROUPS = {
    "Capacity utilisation snapshot": [
        "Pre-initialised workers in use", "Available workers", "Running drivers", "Running executors",
    ],
    "Application": ["Running workers", "CPU allocated [vCPU]", "Memory allocated [GB]", "Disk allocated [GB]"],
    "Pre-initialised capacity": ["Total workers", "Idle workers", "Workers in use [%]"],
    "Drivers": ["Running drivers", "CPU allocated [vCPU]", "Memory allocated [GB]", "Disk allocated [GB]"],
    "Executors": ["Running executors", "CPU allocated [vCPU]", "Memory allocated [GB]", "Disk allocated [GB]"],
    "Job metrics": ["Running", "Succeeded", "Failed", "Cancelled"],
    "Job runs by minute": ["Pending, running and failed runs"],
}  # fmt: skip


def grouped_widgets():
    groups, name = {}, None
    for widget in WIDGETS:
        if widget["type"] == "text":
            name = widget["properties"]["markdown"].removeprefix("## ")
            groups[name] = []
        else:
            groups[name].append(widget)
    return groups


def metrics_of(widget):
    """Name and dimensions of each metric of a widget; expressions apart."""
    for entry in widget["properties"]["metrics"]:
        if isinstance(entry[0], str):
            names = [part for part in entry if isinstance(part, str)]
            yield names[0], names[1], dict(zip(names[2::2], names[3::2], strict=True))


def is_emitted(metric, dimensions):
    return any(
        metric in kind["metrics"]
        and sorted(dimensions) == kind["dimensions"]
        and all(dimensions[name] in values for name, values in kind.get("values", {}).items())
        for kind in EMITTED
    )


def test_the_dashboard_has_its_seven_groups():
    groups = grouped_widgets()
    assert {name: [widget["properties"]["title"] for widget in found] for name, found in groups.items()} == GROUPS


def test_every_metric_of_the_dashboard_is_emitted_with_these_dimensions():
    """A graph of a metric that is not there is empty, which looks like a quiet day."""
    metrics = [metric for widget in WIDGETS if widget["type"] == "metric" for metric in metrics_of(widget)]
    assert len(metrics) >= 50
    for namespace, metric, dimensions in metrics:
        assert namespace == NAMESPACE
        assert is_emitted(metric, dimensions), (metric, dimensions)


def test_every_expression_is_of_metrics_in_its_own_widget():
    for widget in WIDGETS:
        if widget["type"] == "metric":
            options = [entry[-1] for entry in widget["properties"]["metrics"] if isinstance(entry[-1], dict)]
            ids = {option["id"] for option in options if "id" in option}
            for option in options:
                assert set(re.findall(r"[a-z]\w*", option.get("expression", ""))) <= ids


def test_no_widget_covers_another():
    """The grid has 24 columns; what overlaps is shifted by the console, and groups mix."""
    cells = [
        (x, y)
        for widget in WIDGETS
        for x in range(widget["x"], widget["x"] + widget["width"])
        for y in range(widget["y"], widget["y"] + widget["height"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


ALARMS = {
    name: found["Properties"] for name, found in TEMPLATE.resources.items() if found["Type"] == "AWS::CloudWatch::Alarm"
}


@pytest.mark.parametrize("name", ALARMS)
def test_every_alarm_is_of_a_metric_that_there_is_and_reaches_somebody(name):
    alarm = ALARMS[name]
    dimensions = {dimension["Name"]: "" for dimension in alarm["Dimensions"]}
    if alarm["Namespace"] == NAMESPACE:
        assert is_emitted(alarm["MetricName"], dimensions)
    else:
        # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-metrics.html
        # https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html
        assert (alarm["Namespace"], alarm["MetricName"], *dimensions) in {
            ("AWS/RDS", "FreeStorageSpace", "DBInstanceIdentifier"),
            ("AWS/ApiGateway", "5xx", "ApiId"),
        }
    assert alarm["AlarmActions"] == [{"Ref": "NotificationTopicArn"}]
    # CloudWatch takes an alarm of up to a day: period times evaluations.
    assert alarm["Period"] * alarm["EvaluationPeriods"] <= 86_400
