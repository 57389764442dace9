"""A long command step by step: what it is doing, and how long it took.

Progress that can be counted, as a bar, is in `messages.py`.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console


class Steps:
    """Steps of a command, one after the other, on a terminal.

    Parameters
    ----------
    console : Console
        A line is printed for each finished step; while it lasts, a terminal also shows that it does.
    """

    def __init__(self, console: Console):
        self._console = console
        self._status = None
        self._name = ""
        self._begun = 0.0

    def begin(self, name: str) -> None:
        """Begin a step."""
        self._name, self._begun = name, time.monotonic()
        self._status = self._console.status(f"{name} …")
        self._status.start()

    def tell(self, progress: str) -> None:
        """Say how far the step is."""
        self._status.update(f"{self._name} … {progress}")

    def end(self, name: str | None = None, *, failed: bool = False) -> None:
        """End the step, perhaps with a name that says what came of it; without effect if none is begun."""
        if self._status is not None:
            self._status.stop()
            self._status = None
            mark = "[red]✗[/red]" if failed else "[green]✓[/green]"
            self._console.print(f"{mark} {name or self._name} [dim]{time.monotonic() - self._begun:.1f} s[/dim]")

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """One step around a block."""
        self.begin(name)
        with self.failing():
            yield
        self.end()

    @contextmanager
    def failing(self) -> Iterator[None]:
        """Mark the step that is begun as failed if the block fails."""
        try:
            yield
        except BaseException:
            self.end(failed=True)
            raise
