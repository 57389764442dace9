"""What a request is told that cannot be answered: a problem document (RFC 9457), and never the text of an exception."""

import logging
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from pvfault.errors import PvfaultError
from pvfault_alarms.store import StoreError
from pvfault_api.published import NoTableError
from pvfault_api.snapshots import SnapshotGoneError

MEDIA_TYPE = "application/problem+json"

_log = logging.getLogger("pvfault.server")


class ProblemError(Exception):
    """Why a request is not answered.

    Parameters
    ----------
    status : int
        Of HTTP.
    code : str
        The kind of problem, for programs.
    detail : str
        For people: what was found, what was expected, what to do. Nothing of the request stands in it.
    **more
        What else the document says.
    """

    def __init__(self, status: int, code: str, detail: str, **more):
        super().__init__(detail)
        self.status, self.code, self.detail, self.more = status, code, detail, more

    def response(self, headers: dict[str, str] | None = None) -> JSONResponse:
        """The document."""
        body = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            **self.more,
        }
        return JSONResponse(body, self.status, {"Cache-Control": "no-store", **(headers or {})}, MEDIA_TYPE)


def add_handlers(app: FastAPI) -> None:
    """Tell every failure of an application as a problem."""
    app.add_exception_handler(ProblemError, lambda _, problem: problem.response())
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(RequestValidationError, _of_parameters)
    app.add_exception_handler(NoTableError, _of_no_table)
    app.add_exception_handler(SnapshotGoneError, _of_gone)
    app.add_exception_handler(StoreError, _of_store)
    app.add_exception_handler(PvfaultError, _of_tables)
    app.add_exception_handler(OSError, _of_tables)  # a file that is moved or replaced while it is read
    app.add_exception_handler(Exception, _of_us)


def _of_http(_: Request, error: HTTPException):
    code, detail = {
        400: ("not_readable", "what came with the request cannot be read; /openapi.json says what is expected"),
        404: ("no_such_path", "there is nothing here; /openapi.json lists what can be asked"),
        405: ("not_allowed", "this is not done here by this method; /openapi.json lists what can be asked, and how"),
    }.get(error.status_code, ("refused", "the request is refused"))
    return ProblemError(error.status_code, code, detail).response(error.headers)


def _of_parameters(_: Request, error: RequestValidationError):
    # Pydantic's messages are of its own words; what the request had in it is left out.
    wrong = [{"parameter": str(each["loc"][-1])[:64], "reason": each["msg"]} for each in error.errors()]
    detail = "parameters are not as expected; `errors` names them"
    return ProblemError(422, "wrong_parameters", detail, errors=wrong).response()


def _of_no_table(_: Request, error: NoTableError):
    _log.info("%s", error)
    return ProblemError(404, "not_made", "no date is made yet in the table that this is asked of").response()


def _of_gone(_: Request, error: SnapshotGoneError):
    _log.info("%s", error)
    return ProblemError(410, "cursor_gone", "what this cursor goes on with is gone; ask again without it").response()


def _of_tables(_: Request, error: PvfaultError | OSError):
    _log.error("%s", error)
    detail = "the tables cannot be read now; the server's log says why"
    return ProblemError(503, "tables_not_readable", detail).response({"Retry-After": "10"})


def _of_store(_: Request, error: StoreError):
    _log.error("%s", error)
    detail = "the alarms cannot be read or written now, and nothing was written; the server's log says why"
    return ProblemError(503, "alarms_not_available", detail).response({"Retry-After": "10"})


def _of_us(request: Request, error: Exception):
    _log.error("%s failed", request.url.path, exc_info=error)
    return ProblemError(500, "internal", "this is a fault of the server, and its log says more").response()
