"""What a change takes away that deploying cannot bring back, and that it is taken only from whoever names it.

To agree to changes, or to let a script agree to all of them (`--yes`), is not yet to give this up. A loss is allowed by
the physical id of the resource: the one that has taken its place since has another, and is not meant.
"""

from collections.abc import Collection

from pvfault.errors import PvfaultError
from pvfault_deploy.change import Change, ChangeSet

# What becomes of what a resource holds when it is removed or another one takes its place. The templates' policies
# decide whether the resource itself stays, so a test holds these sentences to them.
HELD = {
    "AWS::MSK::ServerlessCluster": "every reading in its topics is gone, also those that no table has yet, "
    "and gateways do not find another cluster by themselves",
    "AWS::RDS::DBInstance": "what Dagster knows of runs and dates, and what was done with alarms, is left in "
    "a snapshot, and in no database",
    "AWS::S3::Bucket": "its objects stay in it, but nothing reads or writes them any more",
    "AWS::Glue::Database": "its tables stay in it, but no job finds them any more",
    "AWS::ECR::Repository": "its images stay in it, but no release finds them any more",
    "AWS::SecretsManager::Secret": "it stays, but nobody is given the database's password or the token of the "
    "answers from it any more",
    "AWS::Logs::LogGroup": "the logs of Dagster and its runs, or of the answers, are gone",
    "AWS::SNS::Topic": "its subscriptions are gone, and nobody is told of anything before confirming a new one",
}


def find_losses(change_set: ChangeSet, allowed: Collection[str]) -> list[Change]:
    """Changes that take away, or may take away, what deploying cannot bring back.

    Parameters
    ----------
    change_set : ChangeSet
    allowed : collection of str
        Physical ids of resources that may be lost.
    """
    return [
        change
        for change in change_set.changes
        if change.kind in HELD and not change.keeps and change.physical_id not in allowed
    ]


def require_none(losses: list[Change]) -> None:
    """Refuse losses, with what is lost and how to allow it.

    Raises
    ------
    PvfaultError
        If there are any.
    """
    if not losses:
        return
    lines = "\n".join(f"  {_describe(loss)}: {HELD[loss.kind]}" for loss in losses)
    options = " ".join(f"--lose {loss.physical_id}" for loss in losses)
    raise PvfaultError(
        f"deploying could not bring back what these changes take away, so they were not made:\n{lines}\n"
        f"If that shall be lost, deploy again with {options}"
    )


def _describe(loss):
    if loss.action == "Remove":
        becomes = "would be removed"
    else:
        becomes = "would be replaced" if loss.replaced == "True" else "may be replaced"
    return f"{loss.resource} ({loss.kind} {loss.physical_id}) {becomes}"
