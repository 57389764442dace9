"""The application: its questions, who may ask them, and how it fails."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio.to_thread import current_default_thread_limiter
from fastapi import Depends, FastAPI
from starlette.middleware.gzip import GZipMiddleware

from pvfault.settings import Settings
from pvfault_server import alarms, dates, devices, fleet
from pvfault_server.asked import refuse_unclear
from pvfault_server.guard import Guard
from pvfault_server.inspection import Inspection
from pvfault_server.pages import add_page, is_of_page
from pvfault_server.problems import add_handlers

# Requests that are answered at once; others wait. Python's threads take turns, and those that decode files give theirs
# away and wait for the next one: with 40 threads on two cores, 155 requests/s took 8 ms of the processor each and a
# second of waiting, with 4 threads 200 requests/s took 5 ms and 7 ms.
_THREADS = 4
_SMALL = 1000  # bytes, below which to compress an answer gains nothing


def make_app(settings: Settings) -> FastAPI:
    """Make an application that answers from the tables of these settings.

    Parameters
    ----------
    settings : Settings
        With its token, if it has one, each request has to show it; without one only this machine is answered.
    """
    # No page of FastAPI's own: it would fetch its script from another host.
    app = FastAPI(
        title="pvfault",
        summary="Faults of photovoltaic plants",
        docs_url=None,
        redoc_url=None,
        lifespan=_with_few_threads,
        dependencies=[Depends(refuse_unclear)],
    )
    app.state.settings = settings
    app.state.desk = alarms.Desk(settings)
    app.state.inspection = Inspection(settings)
    app.include_router(devices.router)
    app.include_router(fleet.router)
    app.include_router(dates.router)
    app.include_router(alarms.router)
    add_page(app)
    add_handlers(app)
    app.add_middleware(GZipMiddleware, minimum_size=_SMALL)
    app.add_middleware(Guard, token=settings.token, is_open=is_of_page)
    return app


@asynccontextmanager
async def _with_few_threads(_: FastAPI) -> AsyncIterator[None]:
    current_default_thread_limiter().total_tokens = _THREADS
    yield
