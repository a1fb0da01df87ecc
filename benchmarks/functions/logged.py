"""The same with the logger and the metrics that compiled flows have: one record of each event, and what it counts."""

from __future__ import annotations

import boto3
from aws_lambda_powertools import Logger

from benchmarks.functions.records import recorded
from benchmarks.functions.world import World
from benchmarks.handwritten import handler

world = World(boto3.client("dynamodb"), boto3.client("chime-sdk-meetings"))
lambda_handler = recorded(handler(world), Logger(service="dial-in", location=None))
