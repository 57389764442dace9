"""`pvfault serve`: the fleet page, and answers from the tables over HTTP."""

import sys
from typing import Annotated

import typer

from pvfault_cli.messages import read_settings


class _WithoutPandas:
    """Lets no module find pandas.

    PyArrow loads it as soon as it makes an array, to ask whether what it is given is one of pandas'. Nothing of the
    server is, and it takes half a second and 40 MB.
    """

    @staticmethod
    def find_spec(name: str, _path=None, _target=None) -> None:
        """Where a module is, for those that this finder knows."""
        if name == "pandas":
            raise ModuleNotFoundError("the server does without pandas", name=name)


def serve(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen at.")] = 8000,
    host: Annotated[
        str, typer.Option(help="Name or address to listen at; others than this machine's need PVFAULT_TOKEN.")
    ] = "127.0.0.1",
):
    """Show the fleet page, and answer questions about devices, verdicts and dates over HTTP, until Ctrl+C.

    Nothing is written into the tables. What people do with alarms is kept in a database of its own.

    `/openapi.json` lists what can be asked. With PVFAULT_TOKEN set, each request has to show it.

    Example: `pvfault serve --port 8000`
    """
    sys.meta_path.insert(0, _WithoutPandas())
    from pvfault_server.serve import serve as answer

    answer(read_settings(), host, port)
