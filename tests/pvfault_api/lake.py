"""Tables as jobs leave them, a date of a table at a time, made without Spark."""

import uuid
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.expressions import And, GreaterThanOrEqual, LessThan
from pyiceberg.transforms import DayTransform, IdentityTransform

from pvfault.dates import midnight
from pvfault.tables import DEVICE_DAYS, LEDGER, PREDICTIONS, READINGS, SCALOGRAMS, TABLES
from pvfault.versions import version_of

_ZERO = {pa.float32(): 0.0, pa.float64(): 0.0, pa.int32(): 0, pa.int64(): 0, pa.string(): "INV0000001"}


class Plant:
    """The tables of a home, its registry and its network.

    A date that is made is of the registry, the network and the readings that are there then; which dates have
    scalograms is in `with_scalograms`.
    """

    def __init__(self, settings):
        self.settings = settings
        settings.home.mkdir(parents=True, exist_ok=True)
        self.change_registry("INV0000001")
        self.change_network(b"weights")
        self._making = {}
        self.with_scalograms = set()
        catalog = self._catalog()
        catalog.create_namespace("pvfault")
        for table in TABLES:
            iceberg = catalog.create_table(f"pvfault.{table.name}", table.schema)
            is_date = pa.types.is_date(table.schema.field(table.day_of).type)
            with iceberg.update_spec() as spec:
                spec.add_field(table.day_of, IdentityTransform() if is_date else DayTransform(), f"{table.day_of}_day")
        catalog.close()

    def change_registry(self, *devices):
        rows = "".join(f"{device},500,10\n" for device in devices)
        self.settings.registry.write_text(f"deviceID,rated_voltage,rated_current\n{rows}")

    def change_network(self, weights):
        self.settings.model.write_bytes(weights)

    def make(self, *days, tables=("readings", "scalograms", "predictions", "device_days"), late=None):
        """Make tables of dates from what is there now; `late` are readings of other dates that stand with these."""
        for day in days:
            if "readings" in tables:
                self._making[day] = uuid.uuid4().hex
                self._put(READINGS, day, {}, self._making[day])
                self.note(day, late=late)
            if "scalograms" in tables:
                self.with_scalograms.add(day)
            origin = {
                "readings_making": self._making.get(day),
                "registry_version": version_of(self.settings.registry.read_bytes()),
                "model_version": version_of(self.settings.model.read_bytes()),
            }
            for table in (SCALOGRAMS, PREDICTIONS, DEVICE_DAYS):
                if table.name in tables:
                    self._put(table, day, {name: origin[name] for name in origin if name in table.schema.names})

    def make_empty(self, day):
        """Make readings of a date that nobody sent anything of."""
        self._remove(READINGS, day)
        self.note(day)

    def note(self, day, *, late=None, **values):
        """Tell the ledger of a making; each date's own part are ten offsets, and it has read them and what is late."""
        first = 10 * day.toordinal()
        elsewhere = [
            {"date": other, "readings": count, "unread": count, "first_offset": first, "end_offset": first + count}
            for other, count in (late or {}).items()
        ]
        row = {
            "date": day, "making": self._making.get(day, ""), "made_at": datetime.now(UTC),
            "topic": self.settings.topic, "topic_id": "t", "first_offset": first, "end_offset": first + 10,
            "scanned": [{"first_offset": first, "end_offset": first + 10}, *self._noted(day)], "elsewhere": elsewhere,
            **values,
        }  # fmt: skip
        self._put(LEDGER, day, row, replace=False)

    def _noted(self, day):
        with self._catalog() as catalog:
            rows = catalog.load_table("pvfault.ledger").scan().to_arrow().to_pylist()
        found = [one for row in rows for one in row["elsewhere"] if one["date"] == day]
        return [{name: one[name] for name in ("first_offset", "end_offset")} for one in found]

    def _put(self, table, day, values, making=None, *, replace=True):
        if replace:
            self._remove(table, day)
        noon = midnight(day) + timedelta(hours=12)
        given = {table.day_of: day if table.day_of == "date" else noon, **values}
        row = {
            field.name: given.get(field.name, None if field.nullable else _ZERO.get(field.type))
            for field in table.schema
        }
        name = f"{making or uuid.uuid4().hex}-{uuid.uuid4()}.parquet"
        path = self.settings.warehouse / "pvfault" / table.name / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist([row], table.schema), path)
        with self._catalog() as catalog:
            catalog.load_table(f"pvfault.{table.name}").add_files([path.as_uri()])

    def _remove(self, table, day):
        edges = [day, day + timedelta(1)]
        first, end = (edge if table.day_of == "date" else midnight(edge) for edge in edges)
        of_day = And(GreaterThanOrEqual(table.day_of, first.isoformat()), LessThan(table.day_of, end.isoformat()))
        with self._catalog() as catalog:
            iceberg = catalog.load_table(f"pvfault.{table.name}")
            if iceberg.scan(of_day).count():
                iceberg.delete(of_day)

    def _catalog(self):
        return SqlCatalog("lake", uri=f"sqlite:///{self.settings.catalog}", warehouse=self.settings.warehouse.as_uri())


def days(first, n):
    """Some dates of June 2024."""
    return [date(2024, 6, first + k) for k in range(n)]
