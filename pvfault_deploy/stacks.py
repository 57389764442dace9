"""The stacks of a deployment, in the order in which they are made, and what each of them is given.

A parameter is given by the user, or has the name of an output of an earlier stack, or keeps the value that the stack
has, or has the template's default.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import yaml

from pvfault.errors import PvfaultError

# Buckets and image repositories come first: a release and its images must be in them before anything can use these.
FOUNDATIONS = ("storage", "images")
CONCERNS = (
    *FOUNDATIONS, "network", "catalog", "streaming", "notifications", "database", "spark", "roles", "parameters",
    "answers", "observability", "dagster",
)  # fmt: skip
# Parameters that are an image of the release, and the outputs that name their repositories.
IMAGES = {
    "JobImage": "JobImageRepository",
    "DagsterImage": "DagsterImageRepository",
    "AnswersImage": "AnswersImageRepository",
}
# Given by `pvfault deploy` itself, from the release.
OF_THE_RELEASE = ("Release", *IMAGES)


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms (!Ref, !Sub …) as what they stand for."""


def _long_form(loader, tag, node):
    name = tag if tag in ("Ref", "Condition") else f"Fn::{tag}"
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        return {name: value.split(".", 1) if tag == "GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _long_form)


@dataclass(frozen=True)
class Template:
    """The template of one concern.

    Attributes
    ----------
    concern : str
        What the stack is for, and the template's file name without its ending.
    text : str
    """

    concern: str
    text: str

    @cached_property
    def content(self) -> dict:
        """The template as a mapping, short forms written out."""
        return yaml.load(self.text, _Loader)  # noqa: S506 - a SafeLoader with constructors for plain data

    @property
    def parameters(self) -> dict[str, dict]:
        """Declarations of its parameters."""
        return self.content.get("Parameters", {})

    @property
    def resources(self) -> dict[str, dict]:
        """Declarations of its resources."""
        return self.content["Resources"]

    @property
    def outputs(self) -> dict[str, dict]:
        """Declarations of its outputs."""
        return self.content.get("Outputs", {})


def read_templates(project: Path) -> tuple[Template, ...]:
    """All templates, in the order of their stacks.

    Raises
    ------
    PvfaultError
        If one is not there.
    """
    folder = project / "infra" / "cloudformation"
    missing = [concern for concern in CONCERNS if not (folder / f"{concern}.yaml").is_file()]
    if missing:
        raise PvfaultError(f"{folder} has no {missing[0]}.yaml; change into a checkout of pvfault")
    return tuple(Template(concern, (folder / f"{concern}.yaml").read_text()) for concern in CONCERNS)


def stack_name(stage: str, concern: str) -> str:
    """Name of the stack of a concern in a deployment.

    Examples
    --------
    >>> stack_name("prod", "storage")
    'pvfault-prod-storage'
    """
    return f"pvfault-{stage}-{concern}"


def resolve_parameters(
    template: Template, given: Mapping[str, str], outputs: Mapping[str, str], present: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    """Values of a stack's parameters.

    Parameters
    ----------
    template : Template
    given : mapping of str to str
        What the user and the release say.
    outputs : mapping of str to str
        Outputs of the earlier stacks.
    present : mapping of str to str
        What the stack has now; empty if there is none.

    Returns
    -------
    values : dict of str to str
        Of parameters that have one; those left to the template's default are not in it.
    missing : list of str
        Parameters that have none.
    """
    values, missing = {}, []
    for name, declaration in template.parameters.items():
        for source in (given, outputs, present):
            if name in source:
                values[name] = source[name]
                break
        else:
            if "Default" not in declaration:
                missing.append(name)
    return values, missing
