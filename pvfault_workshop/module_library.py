"""Data sheets of modules: the CEC library that pvlib ships, looked up by the name on the module's label.

Not here: modules as they are simulated (`simulation/modules.py`).
"""

import difflib
import re
from typing import NamedTuple

import pvlib

from pvfault.errors import PvfaultError

_NEAREST = 5


class DataSheet(NamedTuple):
    """A module's values at the maximum-power point under standard test conditions.

    Attributes
    ----------
    name : str
        As the library has it.
    voltage, current : float
        [V], [A]
    """

    name: str
    voltage: float
    current: float


def look_up_module(name: str) -> DataSheet:
    """Find a module by its name, however it is spaced, punctuated and capitalised; a part will do if one module has it.

    Parameters
    ----------
    name : str

    Returns
    -------
    DataSheet

    Raises
    ------
    PvfaultError
        If there is no such module, or several; the message names the nearest.
    """
    library = pvlib.pvsystem.retrieve_sam("CECMod")
    plain = {_plain(each): each for each in library.columns}
    wanted = _plain(name)
    matches = _matches(wanted, plain)
    if len(matches) != 1:
        raise PvfaultError(_not_one(name, wanted, plain, matches, len(library.columns)))
    found = plain[matches[0]]
    return DataSheet(found, float(library[found]["V_mp_ref"]), float(library[found]["I_mp_ref"]))


def _plain(name):
    """A name without what people write in different ways."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _matches(wanted, plain):
    """The same name; else names that end so, the maker left away; else names that have it somewhere."""
    if wanted in plain:
        return [wanted]
    having = [each for each in plain if wanted and wanted in each]
    return [each for each in having if each.endswith(wanted)] or having


def _not_one(name, wanted, plain, matches, size):
    """Why a name is of no single module, and which are near."""
    near = [plain[each] for each in sorted(matches, key=len)[:_NEAREST] or _nearest(wanted, plain)]
    found = f"{len(matches):,}" if matches else "none"
    return (
        f"--module is {name!r}: {found} of the {size:,} modules in the CEC library fit. "
        f"Nearest: {', '.join(near) or 'none'}. Name one of them, or leave --module away and look up V_mp and I_mp on "
        "the data sheet."
    )


def _nearest(wanted, plain):
    """Names that are like what is wanted: the type alone is often given without its maker."""
    tails = {each[-max(len(wanted), 1) :]: each for each in plain}
    likely = [*difflib.get_close_matches(wanted, plain, _NEAREST, 0.5), *(
        tails[each] for each in difflib.get_close_matches(wanted, tails, _NEAREST, 0.6)
    )]  # fmt: skip
    return list(dict.fromkeys(likely))[:_NEAREST]
