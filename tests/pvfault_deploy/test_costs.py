"""What a deployment costs: sums that can be done again by hand, and pages that say the same."""

from pathlib import Path

import pytest

from pvfault_deploy.costs import as_markdown, monthly_alternatives, monthly_bill
from pvfault_deploy.stacks import read_templates

PROJECT = Path(__file__).parent.parent.parent


def bill(devices):
    return {(line.service, line.what): line for line in monthly_bill(devices)}


def test_the_page_on_deployment_shows_the_bill_of_10_000_devices():
    assert as_markdown(monthly_bill(10_000), total=True) in (PROJECT / "docs" / "deployment.md").read_text()


def test_the_page_on_alternatives_shows_what_they_would_cost():
    assert as_markdown(monthly_alternatives(10_000), total=False) in (PROJECT / "docs" / "alternatives.md").read_text()


def test_the_bill_by_hand():
    """10,000 devices x 4,320 readings x 61 bytes x 30.42 days, and so on."""
    lines = bill(10_000)
    gb = 10_000 * 4_320 * 61 / 1e9 * 730 / 24
    assert lines["MSK Serverless", "written"].dollars == pytest.approx(gb * 0.10)
    assert lines["MSK Serverless", "cluster"].dollars == pytest.approx(547.50)
    assert lines["EMR Serverless", "vCPU"].dollars == pytest.approx((5.0 + 5) / 60 * 730 / 24 * 8 * 0.052624)
    assert sum(line.dollars for line in lines.values()) == pytest.approx(939, abs=1)


def test_ten_times_the_devices_write_ten_times_as_much_and_leave_what_stands_by_as_it_is():
    few, many = bill(1_000), bill(10_000)
    for key in (("MSK Serverless", "written"), ("MSK Serverless", "kept"), ("S3", "tables of a year")):
        assert many[key].dollars == pytest.approx(10 * few[key].dollars)
    for key in (("MSK Serverless", "cluster"), ("RDS", "disk"), ("VPC", "interface endpoints in three zones")):
        assert many[key].dollars == few[key].dollars


def test_the_bill_counts_what_the_templates_make():
    """An endpoint more is 22 dollars a month more."""
    templates = {template.concern: template.resources for template in read_templates(PROJECT)}
    endpoints = [found for found in templates["network"].values()
                 if found.get("Properties", {}).get("VpcEndpointType") == "Interface"]  # fmt: skip
    subnets = [found for found in templates["network"].values() if found["Type"] == "AWS::EC2::Subnet"]
    lines = bill(10_000)
    assert lines["VPC", "interface endpoints in three zones"].quantity == len(endpoints) * len(subnets) * 730
    alarms = [found for found in templates["observability"].values() if found["Type"] == "AWS::CloudWatch::Alarm"]
    assert lines["CloudWatch", "alarms"].quantity == len(alarms)
    tasks = [found["Properties"] for name, found in templates["dagster"].items() if name.endswith("Task")]
    standing = [task for task in tasks if not task["Family"]["Fn::Sub"].endswith("-run")]
    vcpu = lines["Fargate", "vCPU of page, daemon, code server"].quantity
    assert vcpu == pytest.approx(sum(int(task["Cpu"]) for task in standing) / 1024 * 730)
    memory = lines["Fargate", "memory of these"].quantity
    assert memory == pytest.approx(sum(int(task["Memory"]) for task in standing) / 1024 * 730)
    application = templates["spark"]["Application"]["Properties"]
    assert application["AutoStopConfiguration"]["IdleTimeoutMinutes"] == 5
    assert templates["database"]["Database"]["Properties"]["DBInstanceClass"] == "db.t4g.micro"
