"""`pvfault deploy`: pvfault onto AWS, and what of it is there."""

from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from pvfault.errors import PvfaultError
from pvfault_cli.messages import count, read_settings

app = typer.Typer()

_STAGE_HELP = "The deployment's name; one of them in an account and region."


@app.callback(invoke_without_command=True)
def deploy(
    context: typer.Context,
    stage: Annotated[str, typer.Option(help=_STAGE_HELP)] = "prod",
    prefix: Annotated[str | None, typer.Option(help="What bucket names begin with; needed once.")] = None,
    first_date: Annotated[
        str | None, typer.Option(metavar="YYYY-MM-DD", help="First day that can be materialised; needed once.")
    ] = None,
    email: Annotated[str | None, typer.Option(help="Who is told of failures and alarms.")] = None,
    values: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any other parameter of the templates."),
    ] = None,
    lose: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="A bucket, database, cluster … that may be lost; the refusal tells which."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; for scripts. Allows no loss.")] = False,
):
    """Put pvfault onto AWS, or bring what is there up to date. Shows what will change, and asks.

    Run it in a checkout, as somebody who may make these things (AWS_PROFILE, AWS_REGION). What was given once is kept.
    Run it again after an interruption or a failure: it goes on from there.

    Example: `pvfault deploy --stage prod --prefix acme-pv --first-date 2026-11-01 --email ops@example.com`
    """
    if context.invoked_subcommand is not None:
        return
    from rich.console import Console

    from pvfault_deploy.account import explained, sign_in
    from pvfault_deploy.check import lint_templates
    from pvfault_deploy.deploy import Deployment, check_given, rehearse
    from pvfault_deploy.deploy import deploy as make_everything
    from pvfault_deploy.release import pack
    from pvfault_deploy.stacks import read_templates

    given = {"BucketPrefix": prefix, "FirstDate": first_date, "NotificationEmail": email}
    given = {name: value for name, value in given.items() if value is not None} | _parse_values(values or [])
    operator = _Operator(Console(stderr=True), asks=not yes)
    project = Path.cwd()
    templates = read_templates(project)
    check_given(stage, given, templates)
    with explained():
        account = sign_in()
        typer.echo(f"Account {account.id}, region {account.region}, stage {stage}.", err=True)
        _check(operator, lint_templates, project)
        release = _pack(operator, pack, project)
        deployment = Deployment(stage, release, templates, given, frozenset(lose or ()))
        if dry_run:
            rehearse(deployment, account, operator)
            typer.echo("Nothing was changed (--dry-run).")
        elif make_everything(deployment, account, operator):
            typer.echo(f"Deployed: release {release.name}. See `pvfault deploy status --stage {stage}`.")
        else:
            typer.echo(f"Nothing to change: release {release.name} is deployed.")


@app.command()
def status(
    context: typer.Context,
    stage: Annotated[str | None, typer.Option(help=_STAGE_HELP, show_default="prod")] = None,
):
    """Tell what is deployed: stacks, their outputs, the Spark application, the release. Exit code 1 if it is not whole.

    Example: `pvfault deploy status --stage prod`
    """
    from pvfault_deploy.account import explained, sign_in
    from pvfault_deploy.deploy import application_state, look

    stage = stage or context.parent.params["stage"]  # `deploy --stage test status` means test too
    with explained():
        account = sign_in()
        found = look(stage, account)
        typer.echo(f"Account {account.id}, region {account.region}, stage {stage}.")
        for stack in found.values():
            typer.echo(f"{stack.name}: {stack.status or 'not there'}{f' ({stack.reason})' if stack.reason else ''}")
            for name, value in stack.outputs.items():
                typer.echo(f"  {name}: {value}")
        application = found["spark"].outputs.get("ApplicationId")
        if application:
            typer.echo(f"Spark application: {application_state(account, application)}")
        typer.echo(f"Release: {found['parameters'].parameters.get('Release', 'none')}")
    if not all(stack.status in ("CREATE_COMPLETE", "UPDATE_COMPLETE") for stack in found.values()):
        raise typer.Exit(1)


def _parse_values(texts: list[str]) -> dict[str, str]:
    values = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise PvfaultError(f"--set is {text!r}; expected NAME=VALUE, as in --set MaximumVcpu=64")
        values[name] = value
    return values


def _check(operator, lint_templates, project):
    operator.begin("Templates checked")
    looked = lint_templates(project)
    operator.end(
        "Templates checked" if looked else "Templates not checked: cfn-lint is not installed (pip install cfn-lint)"
    )


def _pack(operator, pack, project):
    """Pack a release, and load its network: one that is broken is found here and not by a job."""
    from pvfault.lenet import load_classifier

    settings = read_settings()
    operator.begin("Release packed")
    release = pack(project, version("pvfault"), settings.jars, settings.model)
    load_classifier(settings.model)
    operator.end(f"Release {release.name} packed: {count(len(release.files), 'file')}")
    return release


class _Operator:
    """Shows a deployment on a terminal and asks there."""

    def __init__(self, console, *, asks):
        from pvfault_cli.steps import Steps

        self._steps = Steps(console)
        self._asks = asks

    def begin(self, step):
        self._steps.begin(step)

    def tell(self, progress):
        self._steps.tell(progress)

    def end(self, came_of_it):
        self._steps.end(came_of_it)

    def unchanged(self, stack):
        typer.echo(f"{stack}: no change")

    def show(self, stack, changes):
        typer.echo(f"{stack}: changes")
        for change in changes.changes:
            typer.echo(f"  {change.action:<7} {change.resource} ({change.kind}){_REPLACED.get(change.replaced, '')}")

    def show_new(self, stack, template):
        typer.echo(f"{stack}: new")
        for name, resource in template.resources.items():
            condition = f", if {resource['Condition']}" if "Condition" in resource else ""
            typer.echo(f"  {'Add':<7} {name} ({resource['Type']}){condition}")

    def agrees(self, stack):
        return not self._asks or typer.confirm(f"Change {stack}?", default=False, err=True)


_REPLACED = {
    "True": ": another one takes its place, and what is in this one goes with it",
    "Conditional": ": perhaps another one takes its place",
}
