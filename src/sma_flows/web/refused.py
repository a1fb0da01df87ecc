"""What the API says when it does not do what it was asked."""

from __future__ import annotations

__all__ = ["RefusedError", "no_such_call", "unavailable"]


class RefusedError(Exception):
    """A request that is not carried out.

    ``status`` is that of the answer, ``code`` a word for programs, ``message`` a sentence for people; none of them
    holds a number, a name or a token. ``call`` is the id of the call that is there already, ``retry_s`` the seconds
    after which another try makes sense; empty and 0 where there is no such thing.
    """

    def __init__(self, status: int, code: str, message: str, *, call: str = "", retry_s: int = 0) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message
        self.call = call
        self.retry_s = retry_s


def no_such_call() -> RefusedError:
    """The answer for a call that never was, and for one that belongs to somebody else: nobody can tell which."""
    return RefusedError(404, "no_such_call", "There is no call with this id.")


def unavailable(what: str, *, call: str = "") -> RefusedError:
    """The answer when a service that we need does not do its part."""
    return RefusedError(503, "unavailable", f"{what} Please try again later.", call=call)
