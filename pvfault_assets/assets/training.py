"""What the network is made of.

The simulated windows as an asset, and training from them. The weights that days are classified with are the asset in
`sources.py`.
"""

from pathlib import Path

import dagster as dg

from pvfault.errors import PvfaultError
from pvfault.settings import Settings
from pvfault_workshop.recipe import Recipe

TRAINING_WINDOWS = dg.AssetKey("training_windows")
MODEL = dg.AssetKey("lenet_model")


class WindowsConfig(dg.Config):
    """What can be asked of one run of `training_windows`."""

    simulate: bool = False
    """Simulate them, which takes a quarter of an hour, instead of only looking at those that are there."""
    devices: int = Recipe.devices
    """Faulty devices of the fleets for training, each with its healthy twin."""
    workers: int = 2
    """Processes that simulate."""


class ModelConfig(dg.Config):
    """What can be asked of one run of `lenet_model`."""

    train: bool = False
    """Train a network on `training_windows` and put it in the place of the weights, instead of only checking them."""
    epochs: int = Recipe.epochs
    seed: int = Recipe.seed


def training_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """The simulated windows; they are made when somebody asks for them, and never by the daily job."""

    @dg.asset(key=TRAINING_WINDOWS, group_name="model", kinds={"python", "numpy"})
    def training_windows(config: WindowsConfig):
        """One row per device and hour: a scalogram of a simulated device with the fault that shows in it.

        Three parts (training, validation, test) that share no device, site or date. With `simulate: true` they are
        simulated, before `lenet_model` is asked to train; else those that are there are looked at.
        """
        from pvfault_workshop.simulation.parts import count_windows, kept_devices, name_parts, prepare_parts

        folder, devices = settings.training, config.devices
        if not config.simulate:
            # Who materialises all assets of the page wants the dates, and not to wait for a simulation.
            try:
                devices = kept_devices(folder)
            except PvfaultError:
                absent = "none of this version; launch with `simulate: true`, which takes a quarter of an hour"
                return dg.MaterializeResult(data_version=dg.DataVersion("none"), metadata={"windows": absent})
        parts = prepare_parts(devices, folder, workers=config.workers)
        version = name_parts(parts)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(version),
            metadata={
                "dagster/row_count": sum(len(windows) for windows in parts.values()),
                "path": dg.MetadataValue.path(folder),
                "version": version,
                "windows": dg.MetadataValue.json(count_windows(parts)),
            },
        )

    return [training_windows]


def train_model(settings: Settings, config: ModelConfig) -> None:
    """Train on what `training_windows` has made, and put weights and model card in the place of the present ones.

    A worse network is refused with a PvfaultError, which says where it is kept.
    """
    from pvfault_workshop.model_making import make_network
    from pvfault_workshop.simulation.parts import kept_devices, prepare_parts

    if not isinstance(settings.model, Path):
        raise PvfaultError(
            f"PVFAULT_MODEL is {settings.model}, weights of a release, which stay as they are; train with "
            "`pvfault train`, and put the weights onto AWS with `pvfault deploy`"
        )
    try:
        devices = kept_devices(settings.training)
    except PvfaultError as error:
        raise PvfaultError(f"{error}, with `simulate: true`") from error
    recipe = Recipe(devices, config.epochs, config.seed)
    parts = prepare_parts(recipe.devices, settings.training)
    command = f"pvfault train --devices {recipe.devices} --epochs {recipe.epochs} --seed {recipe.seed}"
    make_network(parts, recipe, settings.model, command=command)
