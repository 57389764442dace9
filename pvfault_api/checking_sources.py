"""The checks of what dates are made with: the registry and the network, as they are now.

Apart from those of dates (`checking.py`), which are asked without what reads weights.
"""

from collections.abc import Callable, Mapping, Sequence

from pvfault.checks import sources
from pvfault.checks.assets import NETWORK, REGISTRY
from pvfault.checks.check import CheckResult
from pvfault.errors import PvfaultError
from pvfault.locations import is_there, local_file, written_at
from pvfault.registry import read_registry
from pvfault.scores import read_scores
from pvfault.settings import Settings
from pvfault_api.checking import Checked


def check_sources(
    settings: Settings, assets: Sequence[str], accepted: Callable[[], Mapping[str, float]]
) -> list[Checked]:
    """Check what dates are made with, as it is now.

    Parameters
    ----------
    settings : Settings
    assets : sequence of str
        Some of `CHECKS`; the tables are left to `check_dates`.
    accepted : callable
        Gives the scores of the last network that was accepted; empty if there is none.

    Raises
    ------
    PvfaultError
        If the registry or the weights cannot be read.
    """
    judges = {REGISTRY: lambda: check_registry(settings), NETWORK: lambda: check_network(settings, accepted())}
    return [Checked(asset, None, result) for asset in assets if asset in judges for result in judges[asset]()]


def check_registry(settings: Settings) -> tuple[CheckResult, ...]:
    """Check the registry."""
    location = settings.registry
    if not is_there(location):
        return sources.judge_registry(str(location), None, None)
    return sources.judge_registry(str(location), len(read_registry(location).devices), written_at(location))


def check_network(settings: Settings, accepted: Mapping[str, float]) -> tuple[CheckResult, ...]:
    """Check the network, beside the scores of the last one that was accepted."""
    location = settings.model
    if not is_there(location):
        raise PvfaultError(f"{location}: no such file; train with `pvfault train`, or point PVFAULT_MODEL at weights")
    try:
        with local_file(location) as weights:
            scores = read_scores(weights)
    except OSError as error:
        raise PvfaultError(f"{location}: no readable HDF5 file ({error}); point PVFAULT_MODEL at weights") from error
    return sources.judge_network(str(location), written_at(location), scores, accepted)
