"""What callers of a `dubbo_mesh` server are told when no response comes out of a handler.

The decisions that the outermost layers of both kinds of server share.
"""

from __future__ import annotations

import grpc

from .._context.request import serving
from .._contract.logs import logger
from .._contract.validation import printable

_log = logger(__name__)


class Refusal(Exception):  # noqa: N818 - a way for a call to end, not an error
    """Ends a call with a status that the runtime has chosen. Not a failure of the handler's.

    Attributes:
        code, details: the status.
    """

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(details)
        self.code = code
        self.details = details


def not_serving() -> Refusal:
    """The end of a call that came while the server started, and was held until that failed."""
    return Refusal(grpc.StatusCode.UNAVAILABLE, "the server did not start")


def method_not_found() -> Refusal:
    """The end of a call for which there is no handler: in grpc's own words."""
    return Refusal(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")


def answer_to(
    error: BaseException, code: object = None, details: str | bytes | None = None
) -> tuple[grpc.StatusCode, str]:
    """The status for a caller whose handler, or its interceptors, ended by `error`; logs `error`.

    A status that the handler has set is kept. The exception's text is for the log only: it may hold what
    callers must not see.

    Args:
        error: what nothing has caught.
        code: what was passed to `set_code`, if anything.
        details: what was passed to `set_details`, if anything.
    """
    if isinstance(error, Refusal):
        _log.debug("refused: %s", error.details)
        return error.code, error.details
    mark = serving.get()
    request_id = None if mark is None or mark.ended else mark.request.request_id
    where = "" if request_id is None else f", x-request-id {printable(request_id)}"
    _log.error("a handler failed%s", where, exc_info=error)
    set_details = details.decode("utf-8", "replace") if isinstance(details, bytes) else details
    if not is_ok(code):
        return code, set_details or ""  # type: ignore[return-value]  # grpc checks what set_code() was given
    return grpc.StatusCode.INTERNAL, set_details or f"internal error: see the server's log{where}"


def is_failure(error: BaseException) -> bool:
    """Whether `error` is an exception as a handler may raise it, which tools for tracing are to see.

    Neither a refusal of ours, nor one that would end more than the call if it went further, as SystemExit.
    """
    return isinstance(error, Exception) and not isinstance(error, Refusal)


def is_ok(code: object) -> bool:
    """Whether `code`, a context's, is no error: then a response goes out with it."""
    return code in (None, 0, grpc.StatusCode.OK)
