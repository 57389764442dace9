"""A deployment from beginning to end, and what is deployed.

The order: check, pack, make what a release is kept in, send it, make the rest.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from botocore.exceptions import ClientError

from pvfault.errors import PvfaultError
from pvfault_deploy import change, losses, stacks
from pvfault_deploy.account import Account
from pvfault_deploy.release import Release, upload
from pvfault_deploy.stacks import FOUNDATIONS, IMAGES, OF_THE_RELEASE, Template, resolve_parameters, stack_name

STAGE = re.compile(r"[a-z][a-z0-9]{0,15}")
PREFIX = re.compile(r"[a-z0-9][a-z0-9-]{1,48}[a-z0-9]")


class Operator(Protocol):
    """Whoever watches a deployment and decides."""

    def show(self, stack: str, changes: change.ChangeSet) -> None:
        """Show what will change."""

    def show_new(self, stack: str, template: Template) -> None:
        """Show what will be made."""

    def unchanged(self, stack: str) -> None:
        """Tell that a stack stays as it is."""

    def agrees(self, stack: str) -> bool:
        """Say whether the changes shown shall be made."""

    def begin(self, step: str) -> None:
        """Tell that something begins that may take long."""

    def tell(self, progress: str) -> None:
        """Tell how far that is."""

    def end(self, came_of_it: str) -> None:
        """Tell what came of it."""


@dataclass(frozen=True)
class Deployment:
    """What shall be deployed.

    Attributes
    ----------
    stage : str
        The deployment's name.
    release : Release
    templates : tuple of Template
    given : mapping of str to str
        Values of parameters that the user gave.
    lose : frozenset of str
        Physical ids of resources that may be lost with what they hold.
    """

    stage: str
    release: Release
    templates: tuple[Template, ...]
    given: Mapping[str, str]
    lose: frozenset[str] = frozenset()

    def __post_init__(self):
        check_given(self.stage, self.given, self.templates)


def check_given(stage: str, given: Mapping[str, str], templates: tuple[Template, ...]) -> None:
    """Refuse what can be seen to be wrong before anything is packed or asked.

    Raises
    ------
    PvfaultError
        If the stage or the bucket prefix is of no form, or no template has a parameter of such a name.
    """
    if not STAGE.fullmatch(stage):
        raise PvfaultError(
            f"the stage is {stage!r}; expected up to 16 of a-z and 0-9, a letter first, as in --stage prod"
        )
    prefix = given.get("BucketPrefix")
    if prefix is not None and not PREFIX.fullmatch(prefix):
        raise PvfaultError(
            f"the bucket prefix is {prefix!r}; expected 3 to 50 of a-z, 0-9 and -, as in --prefix acme-pv"
        )
    known = {name for template in templates for name in template.parameters}
    unknown = sorted(set(given) - known)
    if unknown:
        raise PvfaultError(f"no template has a parameter {unknown[0]}; there are {', '.join(sorted(known))}")


def deploy(deployment: Deployment, account: Account, operator: Operator) -> bool:
    """Make or change everything, one stack after the other.

    Returns
    -------
    bool
        Whether anything was changed.

    Raises
    ------
    PvfaultError
        If something is in the way. What is done by then stays; deploying again goes on from there.
    """
    given, outputs = _given(deployment, account), {}
    changed = False
    for template in deployment.templates:
        if template.concern not in FOUNDATIONS and "Release" not in given:
            changed |= _send(deployment, account, operator, outputs["BootstrapBucketName"])
            given |= _of_the_release(deployment.release, outputs)
            _require_images(account, given)
        done, outputs_of_it = _change_stack(deployment, template, account, operator, given, outputs)
        changed |= done
        outputs |= outputs_of_it
    return changed


def rehearse(deployment: Deployment, account: Account, operator: Operator) -> None:
    """Show what `deploy` would change, and change nothing.

    Raises
    ------
    PvfaultError
        If something is in the way.
    """
    given, outputs = _given(deployment, account), {}
    complete, coming, lost = True, set(OF_THE_RELEASE), []
    for template in deployment.templates:
        stack = change.describe(account, stack_name(deployment.stage, template.concern))
        change.require_changeable(account, stack)
        if not given.get("Release") and set(IMAGES.values()) <= set(outputs):
            given |= _of_the_release(deployment.release, outputs)
        if not stack.is_there:
            _, missing = resolve_parameters(template, given, outputs, stack.parameters)
            _require_none([name for name in missing if name not in coming], template, stack)
            coming |= set(template.outputs)
            operator.show_new(stack.name, template)
            complete = False
            continue
        values, _ = resolve_parameters(template, given, outputs, stack.parameters)
        changes = change.prepare(account, stack, template, values)
        if changes is None:
            operator.unchanged(stack.name)
        else:
            operator.show(stack.name, changes)
            change.discard(account, changes)
            lost += losses.find_losses(changes, deployment.lose)
        outputs |= stack.outputs
    losses.require_none(lost)
    if complete:
        _require_images(account, given)


def look(stage: str, account: Account) -> dict[str, change.Stack]:
    """All stacks of a deployment, by their concerns; also those that are not there."""
    return {concern: change.describe(account, stack_name(stage, concern)) for concern in stacks.CONCERNS}


def application_state(account: Account, application: str) -> str:
    """State of the EMR Serverless application, and its release label."""
    found = account.client("emr-serverless").get_application(applicationId=application)["application"]
    return f"{found['state']} ({found['releaseLabel']})"


def _given(deployment, account):
    """What the user gave, and what the first stacks were given before: a prefix is typed once."""
    given = {"Stage": deployment.stage, **deployment.given}
    before = change.describe(account, stack_name(deployment.stage, "storage")).parameters
    given.setdefault("BucketPrefix", before.get("BucketPrefix", ""))
    if not given["BucketPrefix"]:
        raise PvfaultError(
            "the buckets have no name yet; give what their names shall begin with, as in --prefix acme-pv "
            "(a bucket's name is unique in the world, and stays)"
        )
    if before and before["BucketPrefix"] != given["BucketPrefix"]:
        raise PvfaultError(
            f"--prefix is {given['BucketPrefix']!r}, but the buckets of {deployment.stage} begin with "
            f"{before['BucketPrefix']!r}; leave it out, or give another --stage"
        )
    return given


def _of_the_release(release: Release, outputs) -> dict[str, str]:
    """The parameters that a release decides."""
    images = {image: f"{outputs[repository]}:{release.name}" for image, repository in IMAGES.items()}
    return {"Release": release.name, **images}


def _send(deployment, account, operator, bucket):
    operator.begin(f"Release {deployment.release.name} into {bucket}")
    sent = upload(deployment.release, account, bucket, operator.tell)
    operator.end(
        f"Release {deployment.release.name}: {sent} of {len(deployment.release.files)} files sent to {bucket}"
        if sent
        else f"Release {deployment.release.name} is in {bucket}"
    )
    return bool(sent)


def _change_stack(deployment, template, account, operator, given, outputs):
    """Whether a stack was changed, and its outputs."""
    stack = change.describe(account, stack_name(deployment.stage, template.concern))
    change.require_changeable(account, stack)
    values, missing = resolve_parameters(template, given, outputs, stack.parameters)
    _require_none(missing, template, stack)
    if not stack.is_there:
        # Asked before there is a change set: that makes a stack of its own, which somebody else may have filled by the
        # time it is refused. Of a new stack, CloudFormation knows no more than the template says.
        operator.show_new(stack.name, template)
        _require_agreement(operator, stack)
    changes = change.prepare(account, stack, template, values)
    if changes is None:
        operator.unchanged(stack.name)
        return False, stack.outputs
    if stack.is_there:
        operator.show(stack.name, changes)
        try:
            losses.require_none(losses.find_losses(changes, deployment.lose))
            _require_agreement(operator, stack)
        except BaseException:  # an interrupt at the question too
            change.discard(account, changes)
            raise
    operator.begin(f"{stack.name} is being {'made' if changes.creates else 'changed'}")
    stack = change.execute(account, changes)
    operator.end(f"{stack.name}: {stack.status}")
    return True, stack.outputs


def _require_agreement(operator, stack):
    if not operator.agrees(stack.name):
        raise PvfaultError(f"{stack.name} was left as it is, and so was everything after it")


def _require_none(missing, template, stack):
    """Refuse to guess what only a user can say."""
    if missing:
        option = {"FirstDate": "--first-date YYYY-MM-DD"}.get(missing[0], f"--set {missing[0]}=…")
        raise PvfaultError(
            f"{stack.name} needs {missing[0]} ({template.parameters[missing[0]]['Description']}); give {option}"
        )


def _require_images(account: Account, given: Mapping[str, str]) -> None:
    """Refuse a release whose images are not in their repositories, with the commands that put them there."""
    missing = [image for image in map(given.get, IMAGES) if not _is_pushed(account, image)]
    if not missing:
        return
    commands = "\n".join(
        f"  docker build --platform linux/amd64 -f infra/images/{image.split(':')[0].rsplit('/', 1)[1]}/Dockerfile "
        f"-t {image} . && docker push {image}"
        for image in missing
    )
    registry = missing[0].split("/", 1)[0]
    raise PvfaultError(
        f"the images of this release are not there yet; buckets and repositories are. Build and push them, "
        f"then deploy again:\n"
        f"  aws ecr get-login-password | docker login --username AWS --password-stdin {registry}\n{commands}"
    )


def _is_pushed(account, image):
    repository, tag = image.split("/", 1)[1].rsplit(":", 1)
    try:
        account.client("ecr").describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])
    except ClientError as error:
        if error.response["Error"]["Code"] in ("ImageNotFoundException", "RepositoryNotFoundException"):
            return False
        raise
    return True
