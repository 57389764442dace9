"""What a deployment costs a month: quantities of a fleet times prices, one line for each thing that is billed.

Prices (those of EMR Serverless are in `pvfault.prices`), quantities, arithmetic, also for the services that could have
done the same (docs/alternatives.md). `python -m pvfault_deploy.costs 10000` prints the tables, and a test holds the
pages to them.

Prices: us-east-1, on demand, no free tier that ends, in dollars. Amazon's pages could not be opened from where this was
written. They were looked up on 2026-11-24 in stored copies of these pages or in several public repositories that
calculate with them and agree; those of requests to S3, traffic between zones, EC2, Kinesis' records, Lambda and HTTP
APIs were not found there. Look at https://aws.amazon.com/pricing/ before you decide by them.
"""

import sys
from dataclasses import dataclass

from pvfault.prices import DOLLARS_PER_GB_HOUR, DOLLARS_PER_VCPU_HOUR

HOURS = 730  # of an average month
DAYS = HOURS / 24
ZONES = 3

SAMPLE_PERIOD_S = 20
# An encoded reading with its schema's id (43 bytes), its key (10), and what Kafka's record format adds to a record in a
# batch (8: length, attributes, two deltas, two lengths, number of headers). A producer compresses; that is left out,
# and makes it less.
RECORD_BYTES = 43 + 10 + 8
PARTITIONS = 8
RETENTION_DAYS = 14  # of the topic, pvfault_gateway/topics.py

# docs/performance.md, a day of 10,000 devices: MB written, and minutes of all four jobs with their starts on one
# executor and a driver. After the last job both wait until the application stops (infra/cloudformation/spark.yaml).
MB_A_DEVICE_DAY = {"raw": 326.7 / 10_000, "silver": 1859.8 / 10_000, "gold": 0.9 / 10_000}
JOB_MINUTES = 5.0
JOB_MINUTES_DEVICES = 10_000
IDLE_MINUTES = 5
WORKER_VCPU, WORKER_GB, WORKERS = 4, 16, 2

INTERFACE_ENDPOINTS = 12  # infra/cloudformation/network.yaml
TASK_VCPU, TASK_GB = 0.5 + 0.5 + 0.5, 1 + 1 + 2  # page, daemon, code server
RUN_VCPU, RUN_GB = 1, 4
# Five people who look at the page for an hour of each working day: 20 questions a view, and 30 views an hour, each
# question 50 ms of an instance (docs/performance.md) of infra/cloudformation/answers.yaml.
QUESTIONS = 5 * 22 * 30 * 20
SECONDS_A_QUESTION, FUNCTION_GB = 0.05, 1769 / 1024


@dataclass(frozen=True)
class Line:
    """One line of a bill.

    Attributes
    ----------
    service, what : str
    quantity : float
        A month's.
    unit : str
    price : float
        Of one unit. [$]
    """

    service: str
    what: str
    quantity: float
    unit: str
    price: float

    @property
    def dollars(self) -> float:
        """A month's sum, in dollars."""
        return self.quantity * self.price


def monthly_bill(devices: int) -> list[Line]:
    """What a fleet costs a month, once its tables hold a year.

    Up to about 20,000 devices one executor is enough; beyond that look at docs/performance.md for the workers.

    Parameters
    ----------
    devices : int

    Examples
    --------
    >>> round(sum(line.dollars for line in monthly_bill(10_000) if line.service == "MSK Serverless"))
    572
    """
    gb_a_day = devices * 86_400 / SAMPLE_PERIOD_S * RECORD_BYTES / 1e9
    gb_a_month = gb_a_day * DAYS
    table_gb = devices * sum(MB_A_DEVICE_DAY.values()) / 1e3 * 365
    job_hours = (JOB_MINUTES * devices / JOB_MINUTES_DEVICES + IDLE_MINUTES) / 60 * DAYS * WORKERS
    run_hours = (JOB_MINUTES * devices / JOB_MINUTES_DEVICES + 5) / 60 * DAYS  # five minutes to start and to check
    return [
        Line("MSK Serverless", "cluster", HOURS, "hours", 0.75),
        Line("MSK Serverless", "partitions", PARTITIONS * HOURS, "partition-hours", 0.0015),
        Line("MSK Serverless", "written", gb_a_month, "GB", 0.10),
        Line("MSK Serverless", "read, once", gb_a_month, "GB", 0.05),
        Line("MSK Serverless", "kept", gb_a_day * RETENTION_DAYS, "GB-months", 0.10),
        Line("EMR Serverless", "vCPU", job_hours * WORKER_VCPU, "vCPU-hours", DOLLARS_PER_VCPU_HOUR),
        Line("EMR Serverless", "memory", job_hours * WORKER_GB, "GB-hours", DOLLARS_PER_GB_HOUR),
        Line("S3", "tables of a year", table_gb, "GB-months", 0.023),
        Line("S3", "requests that write", 30, "1,000", 0.005),
        Line("S3", "requests that read", 300, "1,000", 0.0004),
        Line("Glue", "catalog, below a million objects and requests", 1, "month", 0.0),
        Line("VPC", "interface endpoints in three zones", INTERFACE_ENDPOINTS * ZONES * HOURS, "endpoint-hours", 0.01),
        Line("VPC", "through interface endpoints", 20, "GB", 0.01),
        Line("VPC", "between zones, both ways", 4 / 3 * gb_a_month * 2, "GB", 0.01),
        Line("Fargate", "vCPU of page, daemon, code server", TASK_VCPU * HOURS, "vCPU-hours", 0.04048),
        Line("Fargate", "memory of these", TASK_GB * HOURS, "GB-hours", 0.004445),
        Line("Fargate", "vCPU of runs", RUN_VCPU * run_hours, "vCPU-hours", 0.04048),
        Line("Fargate", "memory of runs", RUN_GB * run_hours, "GB-hours", 0.004445),
        Line("RDS", "db.t4g.micro, one zone", HOURS, "hours", 0.016),
        Line("RDS", "disk", 20, "GB-months", 0.115),
        Line("Lambda", "requests", QUESTIONS / 1e6, "1,000,000", 0.20),
        Line("Lambda", "answers", QUESTIONS * SECONDS_A_QUESTION * FUNCTION_GB, "GB-seconds", 0.0000166667),
        Line("API Gateway", "requests to an HTTP API", QUESTIONS / 1e6, "1,000,000", 1.00),
        Line("Secrets Manager", "secrets", 2, "secrets", 0.40),
        Line("CloudWatch", "dashboard", 1, "dashboards", 3.00),
        Line("CloudWatch", "alarms", 5, "alarms", 0.10),
        Line("CloudWatch", "logs of Dagster and of answers", 2, "GB", 0.50),
        Line("ECR", "images, the last releases", 25, "GB-months", 0.10),
        Line("Cloud Map", "private zone", 1, "zones", 0.50),
        Line("KMS, Parameter Store, SNS", "AWS' own keys, standard parameters, few mails", 1, "month", 0.0),
    ]


def monthly_alternatives(devices: int) -> list[Line]:
    """What other services would cost a month for the same load, by what of ours they would replace.

    Parameters
    ----------
    devices : int
    """
    readings = devices * 86_400 / SAMPLE_PERIOD_S * DAYS
    gb = readings * RECORD_BYTES / 1e9
    kept_gb = gb / DAYS * RETENTION_DAYS
    job_hours = JOB_MINUTES * devices / JOB_MINUTES_DEVICES / 60 * DAYS
    return [
        # A worker G.1X is a DPU: 4 vCPU and 16 GB, billed while the job runs.
        Line("computing", "Glue ETL, 2 workers G.1X", 2 * job_hours, "DPU-hours", 0.44),
        # m5.xlarge with EMR's share, 4 vCPU and 16 GB, ten minutes to start each day.
        Line("computing", "EMR on EC2, 2 x m5.xlarge a day", 2 * (job_hours + DAYS / 6), "hours", 0.192 + 0.048),
        Line("computing", "EMR on EC2, 2 x m5.xlarge always", 2 * HOURS, "hours", 0.192 + 0.048),
        Line("computing", "EMR on EKS, control plane alone", HOURS, "hours", 0.10),
        Line("computing", "Managed Flink, 2 KPU and 1 to orchestrate", 3 * HOURS, "KPU-hours", 0.11),
        Line("landing", "Data Firehose", gb, "GB", 0.029),
        Line("orchestration", "Step Functions, 30 transitions a day", 30 * DAYS / 1e3, "1,000", 0.025),
        Line("orchestration", "MWAA, mw1.small", HOURS, "hours", 0.49),
        Line("transport", "MSK provisioned, 3 x kafka.t3.small", 3 * HOURS, "hours", 0.0456),
        Line("transport", "their disks", 3 * kept_gb, "GB-months", 0.10),
        Line("transport", "MSK provisioned, 3 x kafka.m7g.large", 3 * HOURS, "hours", 0.204),
        # A record counts as 25 KB or less of payload, and a shard takes 1,000 records a second.
        Line("transport", "Kinesis, 2 shards", 2 * HOURS, "shard-hours", 0.015),
        Line("transport", "Kinesis, its records", readings / 1e6, "1,000,000", 0.014),
    ]


def as_markdown(lines: list[Line], *, total: bool) -> str:
    """Lines as a table, perhaps with their sum."""
    rows = [
        f"| {line.service} | {line.what} | {line.quantity:,.1f} | {line.unit} | {line.price:g} | {line.dollars:,.2f} |"
        for line in lines
    ]
    head = ["| for | what | a month | unit | $ a unit | $ a month |", "| --- | --- | --- | --- | --- | --- |"]
    sums = [f"| **sum** | | | | | **{sum(line.dollars for line in lines):,.2f}** |"] if total else []
    return "\n".join([*head, *rows, *sums])


if __name__ == "__main__":
    count = int(sys.argv[1])
    sys.stdout.write(as_markdown(monthly_bill(count), total=True) + "\n\n")
    sys.stdout.write(as_markdown(monthly_alternatives(count), total=False) + "\n")
