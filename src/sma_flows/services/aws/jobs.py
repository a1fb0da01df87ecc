"""Work outside the call: the function invokes itself, and tells the result by an update of the call."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sma_flows.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from sma_flows.services.aws.client import Api, Aws
    from sma_flows.services.ports import Calls


def invoke_later(api: Api, function: str, version: str, job: Mapping[str, Any], timeout_s: float) -> None:
    """Invoke *version* of *function* with *job*, and do not wait for it.

    Raises:
        ServiceError: AWS did not take it.
    """
    answer = api.call(
        "invoke",
        timeout_s,
        attempts=1,
        FunctionName=function,
        Qualifier=version,
        InvocationType="Event",
        Payload=json.dumps(dict(job)).encode(),
    )
    if answer.get("StatusCode") != 202:
        raise ServiceError("invoke: the job was not taken")


class AwsLater:
    """See :class:`~sma_flows.services.jobs.Later`: the function invokes itself, Lambda tries twice more, then keeps it.

    The client is made when it is needed first: that is after a call has ended, and most calls never need it.
    """

    def __init__(self, aws: Aws, function: str, version: str) -> None:
        self._aws = aws
        self._function = function
        self._version = version

    def hand_over(self, job: Mapping[str, Any], token: str, timeout_s: float) -> None:
        """Invoke the function with *job*. Handed over twice, it is done twice with one token."""
        invoke_later(self._aws.api("lambda"), self._function, self._version, job, timeout_s)


class AwsJobs:
    """See :class:`~sma_flows.services.jobs.Jobs`. *function* is what AWS calls this function, *version* its own one.

    A job stays with the version that started it: another one might not know the hook.
    """

    def __init__(self, api: Api, calls: Calls, function: str, version: str) -> None:
        self._api = api
        self._calls = calls
        self._function = function
        self._version = version

    def start(self, job: Mapping[str, Any], timeout_s: float) -> None:
        """Invoke the function with *job* and do not wait for it. One attempt: a second one could be a second job."""
        invoke_later(self._api, self._function, self._version, job, timeout_s)

    def report(self, application: str, call: str, arguments: Mapping[str, str], timeout_s: float) -> None:
        """Update the call; that it is over is no error."""
        self._calls.update(application, call, arguments, "", 0.0, timeout_s)  # the ticket is among the arguments
