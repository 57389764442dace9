"""The registry, the network and what the tables hold of all dates, read again only when they are other ones.

Not here: what a registry says (`pvfault/registry.py`, `pvfault/places.py`), rows of tables (`snapshots.py`).
"""

from dataclasses import dataclass, field

from pvfault.locations import Location, is_there, local_file
from pvfault.places import Place, read_places, read_sites, read_timezones
from pvfault.registry import EMPTY_REGISTRY, Registry, read_registry
from pvfault.settings import Settings
from pvfault.tables import TABLES, Table
from pvfault.versions import version_of
from pvfault_api.current import Kept
from pvfault_api.lake import read_lake
from pvfault_api.published import NoTableError
from pvfault_api.snapshots import open_snapshot
from pvfault_api.states import Lake, version_at


@dataclass(frozen=True)
class Registered:
    """What the registry says of devices.

    Attributes
    ----------
    registry : Registry
    names : dict of str to str
        What the user calls each device.
    sites : dict of str to str
    places : dict of str to Place
    timezones : dict of str to str
    """

    registry: Registry
    names: dict[str, str] = field(default_factory=dict)
    sites: dict[str, str] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    timezones: dict[str, str] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """Of the file that it was read from."""
        return self.registry.version


def read_registered(settings: Settings) -> Registered:
    """What the registry says now; nothing without a file.

    Raises
    ------
    RegistryError
        If the file is no registry.
    """
    return _REGISTRIES.of(settings.registry)


def version_now(location: Location) -> str:
    """Version of a file as the jobs name it; empty without one."""
    return _VERSIONS.of(location)


def read_lake_now(settings: Settings) -> tuple[Lake, str]:
    """What the tables hold of all dates, and the version of all that it was read from.

    Raises
    ------
    PvfaultError
        As `read_lake` does.
    """
    tables = [_version_of(settings, table) for table in TABLES]
    version = version_of("\n".join([*tables, *map(version_now, (settings.registry, settings.model))]).encode())
    if _LAKES.get(settings, ("", None))[0] != version:
        # What is published between the two looks is seen with the next question.
        _LAKES[settings] = version, read_lake(settings)
    return _LAKES[settings][1], version


def _version_of(settings: Settings, table: Table) -> str:
    try:
        return open_snapshot(settings, table).version
    except NoTableError:
        return f"{table.name}: none"


def _read(location: Location) -> Registered:
    if not is_there(location):
        return Registered(EMPTY_REGISTRY)
    # One copy of a file that may be on S3, so that all of it is of the same moment.
    with local_file(location) as file:
        registry = read_registry(file)
        return Registered(registry, registry.own_names, read_sites(file), read_places(file), read_timezones(file))


_REGISTRIES, _VERSIONS = Kept(_read), Kept(version_at)
_LAKES: dict[Settings, tuple[str, Lake]] = {}
