"""The errors that a user can mend, or that pass by themselves.

Every other module raises `PvfaultError`, or a subclass beside the code that raises it. The command line prints its
message and exits with 2, Dagster shows it as a failure that is not retried. Errors of our own making stay ordinary
exceptions with a traceback.
"""


class PvfaultError(Exception):
    """Something outside pvfault is wrong. The message says what was found, what was expected and what to do."""


class TransientError(PvfaultError):
    """Something outside pvfault is wrong now, and may pass by itself: the same is tried again a little later."""
