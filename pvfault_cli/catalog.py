"""`pvfault catalog`: the file of a laptop by which tables are found."""

from pathlib import Path
from typing import Annotated

import typer

from pvfault.errors import PvfaultError
from pvfault.settings import AWS
from pvfault_cli.messages import read_settings

app = typer.Typer(help="Back up or mend the catalog of the tables on this machine.", no_args_is_help=True)


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="Where the copy goes; a file that is there is replaced at once.")],
):
    """Copy the catalog to another file, as it is at one moment. Runs need not end for it.

    The catalog only says where each table stands: back up the folder of the tables as well, after the catalog, so that
    what it names is there.

    Example: `pvfault catalog backup /backup/catalog.db`
    """
    from pvfault.catalog_file import back_up_catalog

    settings = read_settings()
    if settings.environment == AWS:
        raise PvfaultError("PVFAULT_ENV is 'aws', where the catalog is Glue's; this copies the file of a laptop.")
    if file.resolve() == settings.catalog.resolve():
        raise PvfaultError(f"{file} is the catalog itself; name another file, best on another disk.")
    typer.echo(f"{file}: {', '.join(back_up_catalog(settings, file))}.")


@app.command()
def restore(
    backup: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="Put this backup in the catalog's place first.")
    ] = None,
):
    """Let the catalog know the tables again whose files are there, each as it was last and is whole.

    For a catalog that is gone, emptied or not up to date, and for tables of which a file is damaged. Nothing is done
    to the tables' files. End all runs first. Exit code 2 if no state of a table is whole.

    With a backup each table is as it was then, if that state is still there, and what was made later has to be made
    again. Without one each is as its own files say that it was last, which is nothing less where these are there.

    Example: `pvfault catalog restore`
    """
    from pvfault_api.restoring import restore_catalog

    settings = read_settings()
    restored = restore_catalog(settings, backup)
    for table in restored:
        for reason in table.passed_over:
            typer.echo(f"{table.name}: passed over {reason}.", err=True)
        if table.metadata:
            as_of = f"as of {table.changed_at:%Y-%m-%d %H:%M:%S} UTC ({table.metadata.name})"
            typer.echo(f"{table.name}: {'known already' if table.kept else 'restored'}, {as_of}.")
        if backup and table.metadata and table.changed_at < table.newest:
            typer.echo(
                f"{table.name}: its own files know a state of {table.newest:%Y-%m-%d %H:%M:%S} UTC, which the backup "
                f"does not. To have that one, move {settings.catalog} away and restore without --from.",
                err=True,
            )
    if any(table.passed_over and table.metadata and not table.kept for table in restored):
        typer.echo("Materialise the dates again that were made later than that.", err=True)
    if gone := [table.name for table in restored if not table.metadata]:
        raise PvfaultError(
            f"No state of {', '.join(gone)} is whole, so the catalog does not know it. Put its folder in "
            f"{settings.warehouse} back from a backup and run this again. Without a backup, move the folder away and "
            "materialise its dates again: of `readings` as far as the topic reaches, of the others from `readings`."
        )
