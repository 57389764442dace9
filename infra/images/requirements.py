"""Print what an image installs: the direct requirements of its part of pyproject.toml, one a line.

Versions are those of requirements.lock, which pip is given as constraints beside this list, so an image cannot have
others than the tests.

    python infra/images/requirements.py emr > /tmp/emr.txt
    pip install -r /tmp/emr.txt -c requirements.lock
"""

import re
import sys
import tomllib
from pathlib import Path

# Extras of pyproject.toml, and what of them an image does without: EMR's has a Spark that is built for it, and answers
# need no network, no files of readings, no command and no server of their own.
IMAGES = {
    "emr": (("spark",), {"pyspark"}),
    "dagster": (("spark", "dagster", "aws", "gateway", "workshop"), set()),
    "answers": (
        ("server", "lambda"),
        {
            "charset-normalizer", "clevercsv", "h5py", "httptools", "jinja2", "pandas", "python-calamine",
            "python-dateutil", "rich", "tensorflow-cpu", "tomlkit", "typer", "uvicorn", "uvloop",
        },
    ),
}  # fmt: skip


def direct_requirements(image: str, pyproject: Path) -> list[str]:
    """Requirements as pyproject.toml has them.

    Parameters
    ----------
    image : str
        One of `IMAGES`.
    pyproject : Path
    """
    project = tomllib.loads(pyproject.read_text())["project"]
    extras, left_out = IMAGES[image]
    wanted = project["dependencies"] + [line for extra in extras for line in project["optional-dependencies"][extra]]
    return sorted(line for line in wanted if re.match(r"[\w.-]+", line)[0] not in left_out)


if __name__ == "__main__":
    sys.stdout.write("\n".join(direct_requirements(sys.argv[1], Path("pyproject.toml"))) + "\n")
