"""Every setting, its name and its default for a laptop.

Whoever starts a process (`pvfault_cli`, `pvfault_assets/definitions.py`) passes its environment in; nothing else reads
one. Not here: what is given by a command's own options; credentials and region, which Amazon's own tools read.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from importlib.resources import files
from pathlib import Path

from pvfault.broker_access import BrokerAccess
from pvfault.errors import PvfaultError
from pvfault.locations import S3, Location

LOCAL, AWS = "local", "aws"
WEIGHTS = "lenet5.h5"

_PREFIX = re.compile(r"[a-z0-9][a-z0-9-]{1,50}")  # what is left of a bucket's 63 characters beside "-bootstrap"
_S3_FOLDER = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^/\s]+)+")
_WEB = re.compile(r"https?://[^/\s]+\S*")
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{16,}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_DATABASE = re.compile(r"postgresql://\S+/[^/\s]+")
_APPLICATION = re.compile(r"[0-9a-z]{1,64}")


@dataclass(frozen=True)
class Settings:
    """Where things are: on this machine, or on AWS.

    Attributes
    ----------
    environment : str
        `local` or `aws`: where jobs run and tables are (`PVFAULT_ENV`).
    home : Path
        The state folder: broker data, tables, catalog, registry, Dagster's storage (`PVFAULT_HOME`).
    jars : Path
        JVM packages as `make setup` fetched them: `kafka/` for the broker, `spark/` for Spark (`PVFAULT_JARS`).
    broker : str
        Kafka's bootstrap servers, `host:port[,host:port]`; empty if they are to be asked of the cluster
        (`PVFAULT_BROKER`).
    broker_iam_region : str
        Region of the Amazon MSK cluster that these brokers are of, which knows its clients by IAM; empty for a broker
        that asks nothing (`PVFAULT_BROKER_IAM_REGION`).
    msk_cluster_arn : str or None
        The Amazon MSK cluster, reached by IAM (`PVFAULT_MSK_CLUSTER_ARN`).
    topic : str
        The topic of readings (`PVFAULT_TOPIC`).
    registry : Path or str
        The device registry; text if it is an s3:// URI (`PVFAULT_REGISTRY`).
    model : Path or str
        Weights of the network; text if it is an s3:// URI (`PVFAULT_MODEL`).
    first_date : date
        The first day that can be materialised (`PVFAULT_FIRST_DATE`).
    last_date : date or None
        The last one, where no readings come any more; None for the day before today (`PVFAULT_LAST_DATE`).
    lateness_hours : float
        How long past midnight a date's readings are waited for (`PVFAULT_LATENESS_HOURS`). [h]
    buckets : str or None
        What the names of the buckets on AWS begin with (`PVFAULT_BUCKETS`).
    release : str or None
        s3:// URI of the folder with the code, JVM packages and weights that jobs on AWS run (`PVFAULT_RELEASE`).
    emr_application_id : str or None
        The EMR Serverless application that runs jobs (`PVFAULT_EMR_APPLICATION_ID`).
    emr_job_role_arn : str or None
        The role that jobs run as (`PVFAULT_EMR_JOB_ROLE_ARN`).
    sns_topic_arn : str or None
        Where notifications go (`PVFAULT_SNS_TOPIC_ARN`).
    webhook_url : str or None
        Where they go instead: what takes `{"text": ...}` by POST (`PVFAULT_WEBHOOK_URL`).
    token : str or None
        What a request to `pvfault serve` has to show (`PVFAULT_TOKEN`).
    tariff_per_kwh : float or None
        What a kilowatt-hour is sold for; None if no money is to be shown (`PVFAULT_TARIFF`).
    currency : str
        Of the tariff, as ISO 4217 has it (`PVFAULT_CURRENCY`).
    alarms_url : str or None
        The PostgreSQL database of the alarms; None for a file of SQLite in the state folder
        (`PVFAULT_ALARMS_DATABASE`).

    Raises
    ------
    PvfaultError
        If settings do not go together; the message names them.
    """

    environment: str
    home: Path
    jars: Path
    broker: str
    broker_iam_region: str
    msk_cluster_arn: str | None
    topic: str
    registry: Location
    model: Location
    first_date: date
    last_date: date | None
    lateness_hours: float
    buckets: str | None
    release: str | None
    emr_application_id: str | None
    emr_job_role_arn: str | None
    sns_topic_arn: str | None
    webhook_url: str | None = field(repr=False)  # whoever knows it can write there
    token: str | None = field(repr=False)
    tariff_per_kwh: float | None
    currency: str
    alarms_url: str | None = field(repr=False)  # a password may stand in it

    def __post_init__(self):
        if self.last_date and self.last_date < self.first_date:
            raise PvfaultError(
                f"PVFAULT_LAST_DATE is {self.last_date}, and PVFAULT_FIRST_DATE is {self.first_date}; exchange them"
            )
        if self.sns_topic_arn and self.webhook_url:
            raise PvfaultError(
                "PVFAULT_SNS_TOPIC_ARN and PVFAULT_WEBHOOK_URL are both set, and a run is told of once; unset one of "
                "them"
            )
        on_aws = {
            "PVFAULT_BUCKETS": self.buckets,
            "PVFAULT_RELEASE": self.release,
            "PVFAULT_EMR_APPLICATION_ID": self.emr_application_id,
            "PVFAULT_EMR_JOB_ROLE_ARN": self.emr_job_role_arn,
        }
        given = [name for name, value in on_aws.items() if value]
        if self.environment == LOCAL:
            if given:
                raise PvfaultError(
                    f"PVFAULT_ENV is 'local', and {', '.join(given)} is of AWS; set PVFAULT_ENV=aws, or unset it"
                )
            return
        if not self.buckets:
            raise PvfaultError("PVFAULT_ENV is 'aws', and PVFAULT_BUCKETS is not set: the tables are in these buckets")
        if not (self.broker or self.msk_cluster_arn):
            raise PvfaultError(
                "PVFAULT_ENV is 'aws', and neither PVFAULT_MSK_CLUSTER_ARN nor PVFAULT_BROKER is set: one of them says "
                "where readings come from"
            )
        missing = sorted(set(on_aws) - set(given))
        if missing and (self.emr_application_id or self.emr_job_role_arn):
            raise PvfaultError(
                f"{', '.join(given)} are set, and {', '.join(missing)} is not; a job on EMR Serverless needs them all"
            )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], project: Path | None = None) -> "Settings":
        """Read the settings.

        Parameters
        ----------
        environment : mapping of str to str
            Usually `os.environ`.
        project : Path, optional
            The folder that defaults start from; by default `installed_in()`, wherever the command is called.

        Raises
        ------
        PvfaultError
            If a value is not of its form, or values do not go together.
        """

        def read(name, parse, default, expected):
            """One setting that is more than text; set but empty counts as unset."""
            text = environment.get(name) or default
            try:
                return None if text is None else parse(text)
            except ValueError as error:
                raise PvfaultError(f"{name} is {text!r}, expected {expected}; correct it or unset it") from error

        project = project or installed_in()
        home = read("PVFAULT_HOME", _path, project / ".pvfault", "a folder")
        where = read("PVFAULT_ENV", _one_of(LOCAL, AWS), LOCAL, f"{LOCAL!r} or {AWS!r}")
        buckets = read("PVFAULT_BUCKETS", _like(_PREFIX), None, "what bucket names begin with: a to z, 0 to 9 and -")
        release = read("PVFAULT_RELEASE", _like(_S3_FOLDER), None, "s3://bucket/folder")
        cluster = read("PVFAULT_MSK_CLUSTER_ARN", _arn_of("kafka"), None, "the ARN of an MSK cluster")
        registry, model = home / "devices.csv", packaged_weights() or project / "models" / WEIGHTS
        if where == AWS:
            registry = f"{S3}{buckets}-bootstrap/devices.csv" if buckets else registry
            model = f"{release}/{WEIGHTS}" if release else model
        return cls(
            environment=where,
            home=home,
            jars=read("PVFAULT_JARS", _path, project / "build" / "jars", "a folder"),
            broker=environment.get("PVFAULT_BROKER") or ("localhost:9092" if where == LOCAL and not cluster else ""),
            broker_iam_region=environment.get("PVFAULT_BROKER_IAM_REGION") or "",
            msk_cluster_arn=cluster,
            topic=environment.get("PVFAULT_TOPIC") or "pv-readings",
            registry=read("PVFAULT_REGISTRY", _location, registry, "a file or an s3:// URI"),
            model=read("PVFAULT_MODEL", _location, model, "a file or an s3:// URI"),
            first_date=read("PVFAULT_FIRST_DATE", date.fromisoformat, "2019-01-01", "a date YYYY-MM-DD"),
            last_date=read("PVFAULT_LAST_DATE", date.fromisoformat, None, "a date YYYY-MM-DD"),
            lateness_hours=read("PVFAULT_LATENESS_HOURS", _not_negative, "2", "a number of hours, 0 or more"),
            buckets=buckets,
            release=release,
            emr_application_id=read(
                "PVFAULT_EMR_APPLICATION_ID", _like(_APPLICATION), None, "the id of an EMR Serverless application"
            ),
            emr_job_role_arn=read("PVFAULT_EMR_JOB_ROLE_ARN", _arn_of("iam"), None, "the ARN of a role"),
            sns_topic_arn=read("PVFAULT_SNS_TOPIC_ARN", _arn_of("sns"), None, "the ARN of an SNS topic"),
            webhook_url=read(
                "PVFAULT_WEBHOOK_URL", _like(_WEB), None, "an address that begins with https:// or http://"
            ),
            # The value is not repeated: it is a secret.
            token=_token(environment.get("PVFAULT_TOKEN")),
            tariff_per_kwh=read("PVFAULT_TARIFF", _not_negative, None, "a price a kWh, 0 or more, as in 0.08"),
            currency=read("PVFAULT_CURRENCY", _like(_CURRENCY), "EUR", "three letters of ISO 4217, as in EUR"),
            alarms_url=_database(environment.get("PVFAULT_ALARMS_DATABASE")),
        )

    @property
    def broker_access(self) -> BrokerAccess:
        """How a Kafka client reaches the broker."""
        return BrokerAccess(self.broker, self.broker_iam_region)

    @property
    def warehouse(self) -> Path:
        """Folder of the Iceberg tables' files on a laptop."""
        return self.home / "warehouse"

    @property
    def training(self) -> Path:
        """Folder of the simulated windows that the network is trained on."""
        return self.home / "training"

    @property
    def catalog(self) -> Path:
        """SQLite file of the Iceberg catalog on a laptop."""
        return self.home / "catalog.db"

    def bucket(self, purpose: str) -> str:
        """Name of a bucket on AWS: `bootstrap`, `raw`, `silver`, `gold` or `log`."""
        return f"{self.buckets}-{purpose}"

    def environment_of_jobs(self) -> dict[str, str]:
        """The variables by which a job on another machine finds the tables; the rest is told by its arguments."""
        values = {
            "PVFAULT_ENV": self.environment,
            "PVFAULT_BUCKETS": self.buckets,
            "PVFAULT_BROKER": self.broker,
            "PVFAULT_BROKER_IAM_REGION": self.broker_iam_region,
            "PVFAULT_MSK_CLUSTER_ARN": self.msk_cluster_arn,
        }
        return {name: str(value) for name, value in values.items() if value not in (None, "")}


def installed_in() -> Path:
    """The folder that defaults start from: the checkout that this code stands in.

    Of a wheel, the user's own folder: what is kept in an environment goes with it when it is made anew.
    """
    checkout = Path(__file__).parent.parent
    if (checkout / "pyproject.toml").is_file():
        return checkout
    try:
        return Path.home()
    except RuntimeError:  # a user without a folder, as in some containers
        return Path.cwd()


def packaged_weights() -> Path | None:
    """The weights that a wheel holds beside this module; None in a checkout, whose `models/` has them."""
    weights = files("pvfault").joinpath(WEIGHTS)
    # In the archive that jobs are sent in, it would be no path of this machine.
    return weights if isinstance(weights, Path) and weights.is_file() else None


def _path(text):
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError as error:  # ~name of a user that this machine does not have
        raise ValueError(text) from error


def _location(text):
    return text if str(text).startswith(S3) else _path(text)


def _not_negative(text):
    number = float(text)
    if not 0 <= number < math.inf:
        raise ValueError(text)
    return number


def _token(text):
    if text and not _TOKEN.fullmatch(text):
        raise PvfaultError(
            "PVFAULT_TOKEN is none that a request can show: expected 16 characters or more of A to Z, a to z, 0 to 9 "
            "and -._~+/=; make one with `openssl rand -hex 32`"
        )
    return text or None


def _database(text):
    if text and not _DATABASE.fullmatch(text):
        # The value is not repeated: a password may stand in it.
        raise PvfaultError(
            "PVFAULT_ALARMS_DATABASE is no address of a database; expected postgresql://USER:PASSWORD@HOST/DATABASE, "
            "or unset it for a file in the state folder"
        )
    return text or None


def _like(pattern):
    def parse(text):
        if not pattern.fullmatch(text):
            raise ValueError(text)
        return text

    return parse


def _one_of(*words):
    return _like(re.compile("|".join(words)))


def _arn_of(service):
    return _like(re.compile(rf"arn:aws[a-z-]*:{service}:[a-z0-9-]*:\d{{12}}:\S+"))
