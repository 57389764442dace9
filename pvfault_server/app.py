"""The application: its questions, who may ask them, and how it fails."""

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware

from pvfault.settings import Settings
from pvfault_server import alarms, devices, fleet, overview
from pvfault_server.guard import Guard
from pvfault_server.pages import add_page, is_of_page
from pvfault_server.problems import add_handlers

_SMALL = 1000  # bytes, below which to compress an answer gains nothing


def make_app(settings: Settings) -> FastAPI:
    """Make an application that answers from the tables of these settings.

    Parameters
    ----------
    settings : Settings
        With its token, if it has one, each request has to show it; without one only this machine is answered.
    """
    # No page of FastAPI's own: it would fetch its script from another host.
    app = FastAPI(title="pvfault", summary="Faults of photovoltaic plants", docs_url=None, redoc_url=None)
    app.state.settings = settings
    app.state.desk = alarms.Desk(settings)
    app.include_router(devices.router)
    app.include_router(fleet.router)
    app.include_router(overview.router)
    app.include_router(alarms.router)
    add_page(app)
    add_handlers(app)
    app.add_middleware(GZipMiddleware, minimum_size=_SMALL)
    app.add_middleware(Guard, token=settings.token, is_open=is_of_page)
    return app
