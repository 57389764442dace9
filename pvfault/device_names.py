"""DeviceIDs for devices whose names are of another form.

A reading on the wire has ten letters and digits for its device (`readings.py`). A name of that form is its own
deviceID; any other one gets an alias that is the same everywhere and always, because it is made from the name alone.
"""

import hashlib
import re
from collections.abc import Iterable

from pvfault.errors import PvfaultError
from pvfault.readings import DEVICE_ID_LENGTH, DEVICE_ID_PATTERN

# No I, L, O and U: what is read out on the telephone is written down as it was meant (Crockford's base 32).
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def device_id_of(name: str) -> str:
    """DeviceID of a device's name: the name itself if it is one, else an alias of 50 bits.

    Examples
    --------
    >>> device_id_of("INV0000001"), device_id_of("WR 1 Süd") == device_id_of(" WR 1 Süd ")
    ('INV0000001', True)
    """
    name = name.strip()
    if re.fullmatch(DEVICE_ID_PATTERN, name):
        return name
    number = int.from_bytes(hashlib.sha256(name.encode()).digest(), "big")
    return "".join(_LETTERS[(number >> 5 * place) % 32] for place in range(DEVICE_ID_LENGTH))


def refuse_shared_ids(device_ids: Iterable[tuple[str, str]]) -> None:
    """Raise if two names have one deviceID.

    Parameters
    ----------
    device_ids : iterable of (name, deviceID)

    Raises
    ------
    PvfaultError
        Naming both. Of a million names with an alias, two have the same with a probability of 1 in 2,000.
    """
    names = {}
    for name, device_id in device_ids:
        if names.setdefault(device_id, name) != name:
            raise PvfaultError(
                f"The devices {names[device_id]!r} and {name!r} have one deviceID, {device_id}. Give one of them "
                f"another, "
                "in the columns name and deviceID of the registry."
            )
