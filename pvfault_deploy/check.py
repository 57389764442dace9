"""What is wrong with the templates before Amazon is asked.

cfn-lint looks at each template. CloudFormation's own checks come later, with a change set.
"""

from importlib.util import find_spec
from pathlib import Path

from pvfault.errors import PvfaultError
from pvfault_deploy.stacks import CONCERNS


def lint_templates(project: Path) -> bool:
    """Look through the templates; errors and warnings count alike.

    Returns
    -------
    bool
        Whether cfn-lint is installed, so whether anything was looked at.

    Raises
    ------
    PvfaultError
        If something was found.
    """
    if find_spec("cfnlint") is None:
        return False
    from cfnlint.api import lint_file

    found = [
        f"{concern}.yaml:{match.linenumber}: {match.rule.id} {match.message}"
        for concern in CONCERNS
        for match in lint_file(project / "infra" / "cloudformation" / f"{concern}.yaml")
    ]
    if found:
        raise PvfaultError("cfn-lint found, before anything was changed:\n  " + "\n  ".join(found))
    return True
