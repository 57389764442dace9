"""How one stack is made or changed: by a change set that is looked at before it is executed.

Here: the change set's way, and the reasons where it fails. Not here: which stacks (`stacks.py`), in which order
(`deploy.py`).
"""

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

import botocore.exceptions as failures

from pvfault.errors import PvfaultError
from pvfault_deploy.account import Account
from pvfault_deploy.stacks import Template

# How CloudFormation says, of a change set that "failed" or is refused, that there is nothing to do.
_NOTHING = ("didn't contain changes", "No updates are to be performed")
_POLL_S = 5
# What a stack can be in and still be changed; REVIEW_IN_PROGRESS is one of which there is no more than a change set.
_CHANGEABLE = {
    "CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE",
}  # fmt: skip
# With these events of the stack itself an operation begins.
_BEGINNINGS = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS")
_NOT_THERE = {None, "REVIEW_IN_PROGRESS", "DELETE_COMPLETE"}


@dataclass(frozen=True)
class Stack:
    """A stack as it is.

    Attributes
    ----------
    name : str
    status : str or None
        None if there is none of this name.
    reason : str
        What CloudFormation says of the status.
    parameters, outputs : mapping of str to str
    """

    name: str
    status: str | None
    reason: str
    parameters: Mapping[str, str]
    outputs: Mapping[str, str]

    @property
    def is_there(self) -> bool:
        """Whether it was ever made."""
        return self.status not in _NOT_THERE


@dataclass(frozen=True)
class Change:
    """What will become of one resource.

    Attributes
    ----------
    action : str
        `Add`, `Modify` or `Remove`.
    resource, kind : str
        Its name in the template, and its type.
    replaced : str
        `True` or `Conditional` where another one takes its place, with what that means for what is in it.
    """

    action: str
    resource: str
    kind: str
    replaced: str


@dataclass(frozen=True)
class ChangeSet:
    """Changes that can be executed."""

    stack: str
    arn: str
    creates: bool
    changes: tuple[Change, ...]


def describe(account: Account, name: str) -> Stack:
    """Look at a stack; there may be none."""
    try:
        found = account.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    except failures.ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return Stack(name, None, "", {}, {})
        raise
    return Stack(
        name,
        found["StackStatus"],
        found.get("StackStatusReason", ""),
        {item["ParameterKey"]: item.get("ParameterValue", "") for item in found.get("Parameters", [])},
        {item["OutputKey"]: item["OutputValue"] for item in found.get("Outputs", [])},
    )


def require_changeable(account: Account, stack: Stack) -> None:
    """Refuse a stack that CloudFormation would refuse, with what to do about it.

    Raises
    ------
    PvfaultError
        If it was rolled back, or could not be, or is being changed.
    """
    if not stack.is_there or stack.status in _CHANGEABLE:
        return
    if stack.status.endswith("_IN_PROGRESS"):
        raise PvfaultError(f"stack {stack.name} is {stack.status}: somebody is changing it; wait, and deploy again")
    why = _first_failure(account, stack.name) or stack.reason or "CloudFormation gives no reason"
    if stack.status in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"):
        remedy = (
            f"mend that, delete the stack by `aws cloudformation delete-stack --stack-name {stack.name}`, "
            "and deploy again"
        )
    else:
        remedy = (
            f"mend that, run `aws cloudformation continue-update-rollback --stack-name {stack.name}`, and deploy again"
        )
    raise PvfaultError(f"stack {stack.name} is {stack.status}, so it cannot be changed: {why}; {remedy}")


def prepare(account: Account, stack: Stack, template: Template, values: Mapping[str, str]) -> ChangeSet | None:
    """Ask CloudFormation what a template and its parameters would change.

    Returns
    -------
    ChangeSet or None
        None if nothing would change.

    Raises
    ------
    PvfaultError
        If CloudFormation refuses the template or a value.
    """
    client = account.client("cloudformation")
    try:
        arn = client.create_change_set(
            StackName=stack.name,
            ChangeSetName=f"pvfault-{uuid.uuid4().hex[:12]}",
            ChangeSetType="UPDATE" if stack.is_there else "CREATE",
            TemplateBody=template.text,
            Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in sorted(values.items())],
            Capabilities=["CAPABILITY_NAMED_IAM"],
            Tags=[{"Key": "project", "Value": "pvfault"}],
        )["Id"]
    except failures.ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        why = error.response["Error"]["Message"]
        if _says_nothing_to_do(why):
            return None
        raise PvfaultError(
            f"CloudFormation refuses {template.concern}.yaml for {stack.name}: {why}; correct the value or the template"
        ) from error
    found = _wait_for_change_set(client, arn)
    if found["Status"] == "FAILED":
        client.delete_change_set(ChangeSetName=arn)
        why = found.get("StatusReason", "CloudFormation gives no reason")
        if _says_nothing_to_do(why):
            return None
        raise PvfaultError(f"the changes of {stack.name} cannot be made: {why}; correct the value or the template")
    return ChangeSet(stack.name, arn, not stack.is_there, tuple(_changes_in(client, arn)))


def discard(account: Account, change_set: ChangeSet) -> None:
    """Forget a change set; with it goes a stack of which there was nothing else."""
    client = account.client("cloudformation")
    client.delete_change_set(ChangeSetName=change_set.arn)
    if change_set.creates:
        client.delete_stack(StackName=change_set.stack)


def execute(account: Account, change_set: ChangeSet) -> Stack:
    """Make the changes and wait for them.

    Raises
    ------
    PvfaultError
        If a resource fails; the stack is then as it was before, or gone.
    """
    client = account.client("cloudformation")
    client.execute_change_set(ChangeSetName=change_set.arn)
    waiter = client.get_waiter("stack_create_complete" if change_set.creates else "stack_update_complete")
    try:
        # A database or a Kafka cluster takes up to half an hour.
        waiter.wait(StackName=change_set.stack, WaiterConfig={"Delay": _POLL_S, "MaxAttempts": 3600 // _POLL_S})
    except failures.WaiterError as error:
        why = _first_failure(account, change_set.stack) or str(error)
        done = "made" if change_set.creates else "changed"
        raise PvfaultError(
            f"stack {change_set.stack} could not be {done}: {why}; mend that and deploy again"
        ) from error
    return describe(account, change_set.stack)


def _says_nothing_to_do(reason):
    return any(words in reason for words in _NOTHING)


def _wait_for_change_set(client, arn):
    while True:
        found = client.describe_change_set(ChangeSetName=arn)
        if found["Status"] not in ("CREATE_PENDING", "CREATE_IN_PROGRESS"):
            return found
        time.sleep(1)


def _changes_in(client, arn):
    pages = client.get_paginator("describe_change_set").paginate(ChangeSetName=arn)
    for page in pages:
        for item in page.get("Changes", []):
            change = item["ResourceChange"]
            yield Change(
                change["Action"],
                change["LogicalResourceId"],
                change["ResourceType"],
                change.get("Replacement", "False"),
            )


def _first_failure(account: Account, name: str) -> str | None:
    """The resource with which the latest operation began to fail, and why; the others were cancelled because of it."""
    first = None
    pages = account.client("cloudformation").get_paginator("describe_stack_events").paginate(StackName=name)
    for event in (event for page in pages for event in page["StackEvents"]):  # the latest first
        reason = event.get("ResourceStatusReason", "")
        if event["ResourceStatus"].endswith("_FAILED") and "cancelled" not in reason:
            first = f"{event['LogicalResourceId']} ({event['ResourceType']}): {reason}"
        if reason == "User Initiated" and event["ResourceStatus"] in _BEGINNINGS:
            break
    return first
