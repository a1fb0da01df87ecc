"""The dial-in call by hand, with two clients made when the function starts, as samples of AWS do."""

from __future__ import annotations

from typing import Any

import boto3

from benchmarks.functions.world import World
from benchmarks.handwritten import handler

answer = handler(World(boto3.client("dynamodb"), boto3.client("chime-sdk-meetings")))


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001
    return answer(event)
