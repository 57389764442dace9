"""`pvfault catalog`: the file of a laptop by which tables are found."""

import typer

from pvfault.errors import PvfaultError
from pvfault_cli.messages import read_settings

app = typer.Typer(help="Mend the catalog of the tables on this machine.", no_args_is_help=True)


@app.command()
def restore():
    """Let the catalog know the tables again whose files are there, each as it was last and is whole.

    For a catalog that is gone, emptied or not up to date, and for tables of which a file is damaged. Nothing is done
    to the tables' files. End all runs first. Exit code 2 if no state of a table is whole.

    Example: `pvfault catalog restore`
    """
    from pvfault_api.restoring import restore_catalog

    settings = read_settings()
    restored = restore_catalog(settings)
    for table in restored:
        for reason in table.passed_over:
            typer.echo(f"{table.name}: passed over {reason}.", err=True)
        if table.metadata:
            as_of = f"as of {table.changed_at:%Y-%m-%d %H:%M:%S} UTC ({table.metadata.name})"
            typer.echo(f"{table.name}: {'known already' if table.kept else 'restored'}, {as_of}.")
    if any(table.passed_over and table.metadata and not table.kept for table in restored):
        typer.echo("Materialise the dates again that were made later than that.", err=True)
    if gone := [table.name for table in restored if not table.metadata]:
        raise PvfaultError(
            f"No state of {', '.join(gone)} is whole, so the catalog does not know it. Put its folder in "
            f"{settings.warehouse} back from a backup and run this again. Without a backup, move the folder away and "
            "materialise its dates again: of `readings` as far as the topic reaches, of the others from `readings`."
        )
