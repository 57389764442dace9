"""The user's names of devices and their deviceIDs.

The alias of a name is made in `pvfault/device_names.py`, because a registry has names too.
"""

from collections.abc import Mapping, Sequence

from pvfault.device_names import device_id_of, refuse_shared_ids


def device_ids_of(names: Sequence[str], known: Mapping[str, str]) -> list[str]:
    """DeviceIDs of names: as a registry has them, else made from the name.

    Parameters
    ----------
    names : sequence of str
        Each once.
    known : mapping of str to str
        DeviceID by name.

    Raises
    ------
    PvfaultError
        If two of them have the same.
    """
    device_ids = [known.get(name) or device_id_of(name) for name in names]
    refuse_shared_ids(zip(names, device_ids, strict=True))
    return device_ids
