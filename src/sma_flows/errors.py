"""What can be raised by this package, and nothing else.

Three of the four kinds of wrong are not exceptions: an author's mistake is a ``Diagnostic``, a caller's and the world's
are *outcomes* of a state. An exception means that we were handed something we cannot work with.
"""


class SmaFlowsError(Exception):
    """Parent of every exception that this package raises on purpose."""


class PlanError(SmaFlowsError):
    """A compiled plan cannot be read, or cannot work in this environment (missing values, missing hooks)."""


class ProtocolError(SmaFlowsError):
    """An invocation event cannot be read, or an answer would break the service's rules."""


class ServiceError(SmaFlowsError):
    """A port (meeting service, store, hook) could not do its work. The runtime turns it into the outcome ``failed``.

    ``certain`` says that nothing has happened: it was refused. Otherwise it may have, and only the answer was lost.
    """

    certain = False


class BuildError(SmaFlowsError):
    """A package cannot be built, started or deployed as asked. The text says what to do."""
