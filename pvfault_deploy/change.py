"""How one stack is made or changed: by a change set.

Stacks and change sets are asked for by their ids. A name can have come to mean another stack by then.
"""

import re
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
# And how, that the stack is no more as it was when it was looked at.
_OVERTAKEN = re.compile(r"Stack\b.*(already exists and cannot be created|can not be updated|does not exist)")
_POLL_S = 5
# What a stack can be in and still be changed; REVIEW_IN_PROGRESS is one of which there is no more than a change set.
_CHANGEABLE = {
    "CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE",
}  # fmt: skip
# What an action, as a change set calls it, leaves as it is.
_KEEPING = {"Add", "Import", "SyncWithActual"}
# With these events of the stack itself an operation begins.
_BEGINNINGS = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS")
_NOT_THERE = {None, "REVIEW_IN_PROGRESS", "DELETE_COMPLETE"}


@dataclass(frozen=True)
class Stack:
    """A stack as it is.

    Attributes
    ----------
    name : str
    id : str
        Its ARN. One that is made anew under the same name has another; empty if there is none.
    status : str or None
        None if there is none of this name.
    reason : str
        What CloudFormation says of the status.
    parameters, outputs : mapping of str to str
    """

    name: str
    id: str
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
        `Add`, `Modify`, `Remove`, or rarer ones.
    resource, kind : str
        Its name in the template, and its type.
    physical_id : str
        Which one it is; empty if it is not there yet.
    replaced : str
        Where it is modified: `True` or `Conditional` if another one takes, or may take, its place.
    """

    action: str
    resource: str
    kind: str
    physical_id: str
    replaced: str

    @property
    def keeps(self) -> bool:
        """Whether the resource that is there is certain to be there afterwards, and to be used."""
        return self.action in _KEEPING or (self.action == "Modify" and self.replaced == "False")


@dataclass(frozen=True)
class ChangeSet:
    """Changes that can be executed.

    Attributes
    ----------
    stack, stack_id : str
        Name and ARN of the stack.
    arn : str
    creates : bool
        Whether the stack is made by it.
    changes : tuple of Change
    """

    stack: str
    stack_id: str
    arn: str
    creates: bool
    changes: tuple[Change, ...]


def describe(account: Account, name_or_id: str) -> Stack:
    """Look at a stack; there may be none."""
    try:
        found = account.client("cloudformation").describe_stacks(StackName=name_or_id)["Stacks"][0]
    except failures.ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return Stack(name_or_id, "", None, "", {}, {})
        raise
    return Stack(
        found["StackName"],
        found["StackId"],
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
    why = _first_failure(account, stack.id) or stack.reason or "CloudFormation gives no reason"
    if stack.status in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"):
        remedy = (
            f"mend that, delete the stack by `aws cloudformation delete-stack --stack-name {stack.id}`, "
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
        If CloudFormation refuses the template or a value, or the stack is no more as it was looked at.
    """
    client = account.client("cloudformation")
    try:
        made = client.create_change_set(
            StackName=stack.id if stack.is_there else stack.name,
            ChangeSetName=f"pvfault-{uuid.uuid4().hex[:12]}",
            ChangeSetType="UPDATE" if stack.is_there else "CREATE",
            TemplateBody=template.text,
            Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in sorted(values.items())],
            Capabilities=["CAPABILITY_NAMED_IAM"],
            Tags=[{"Key": "project", "Value": "pvfault"}],
        )
    except failures.ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        why = error.response["Error"]["Message"]
        if _says_nothing_to_do(why):
            return None
        if _OVERTAKEN.match(why):
            raise _overtaken(stack.name, why) from error
        raise PvfaultError(
            f"CloudFormation refuses {template.concern}.yaml for {stack.name}: {why}; correct the value or the template"
        ) from error
    arn = made["Id"]
    found = _wait_for_change_set(client, arn)
    if found["Status"] == "FAILED":
        client.delete_change_set(ChangeSetName=arn)
        why = found.get("StatusReason", "CloudFormation gives no reason")
        if _says_nothing_to_do(why):
            return None
        raise PvfaultError(f"the changes of {stack.name} cannot be made: {why}; correct the value or the template")
    return ChangeSet(stack.name, made["StackId"], arn, not stack.is_there, tuple(_changes_in(client, arn)))


def discard(account: Account, change_set: ChangeSet) -> None:
    """Forget a change set. Never with its stack: somebody else may have filled it meanwhile."""
    account.client("cloudformation").delete_change_set(ChangeSetName=change_set.arn)


def execute(account: Account, change_set: ChangeSet) -> Stack:
    """Make the changes and wait for them.

    Raises
    ------
    PvfaultError
        If the stack is no more as it was when the change set was made, or a resource fails; the stack is then as it
        was before, or gone.
    """
    client = account.client("cloudformation")
    try:
        client.execute_change_set(ChangeSetName=change_set.arn)
    except (client.exceptions.ChangeSetNotFoundException, client.exceptions.InvalidChangeSetStatusException) as error:
        raise _overtaken(change_set.stack, error.response["Error"]["Message"]) from error
    waiter = client.get_waiter("stack_create_complete" if change_set.creates else "stack_update_complete")
    try:
        # A database or a Kafka cluster takes up to half an hour.
        waiter.wait(StackName=change_set.stack_id, WaiterConfig={"Delay": _POLL_S, "MaxAttempts": 3600 // _POLL_S})
    except failures.WaiterError as error:
        why = _first_failure(account, change_set.stack_id) or str(error)
        done = "made" if change_set.creates else "changed"
        raise PvfaultError(
            f"stack {change_set.stack} could not be {done}: {why}; mend that and deploy again"
        ) from error
    return describe(account, change_set.stack_id)


def _overtaken(stack: str, why: str) -> PvfaultError:
    """What to say where CloudFormation knows the stack otherwise than we looked at it."""
    return PvfaultError(
        f"somebody else is deploying {stack} ({why}), so what was shown is not what would be changed; "
        "when they are done, deploy again"
    )


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
                change.get("PhysicalResourceId", ""),
                change.get("Replacement", ""),
            )


def _first_failure(account: Account, stack_id: str) -> str | None:
    """The resource with which the latest operation began to fail, and why; the others were cancelled because of it."""
    first = None
    pages = account.client("cloudformation").get_paginator("describe_stack_events").paginate(StackName=stack_id)
    for event in (event for page in pages for event in page["StackEvents"]):  # the latest first
        reason = event.get("ResourceStatusReason", "")
        if event["ResourceStatus"].endswith("_FAILED") and "cancelled" not in reason:
            first = f"{event['LogicalResourceId']} ({event['ResourceType']}): {reason}"
        if reason == "User Initiated" and event["ResourceStatus"] in _BEGINNINGS:
            break
    return first
