"""What pyproject.toml cannot say: a wheel has the network's weights beside the code that reads them.

A checkout has them in `models/`, where `pvfault train` writes.
"""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithWeights(build_py):
    """Copy the weights into the package that is built."""

    def run(self):
        """Build."""
        super().run()
        if not self.editable_mode:
            self.copy_file("models/lenet5.h5", str(Path(self.build_lib, "pvfault", "lenet5.h5")))


setup(cmdclass={"build_py": BuildWithWeights})
