"""Make the adapters for AWS that a plan needs, and their clients, when the function starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sma_flows.services.aws.client import Aws
from sma_flows.services.digests import Digests
from sma_flows.services.needs import HASH_KEY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sma_flows.services.dispatch import LocalServices
    from sma_flows.services.needs import Wanted
    from sma_flows.services.ports import Directory


def open_aws(services: LocalServices, wanted: Wanted, env: Mapping[str, str]) -> None:
    """Give *services* the store, if it is a table, and every service that AWS serves. Others are not imported.

    Raises:
        ServiceError: a client cannot be made.
        PlanError: the key for digests is too short.
    """
    aws = Aws(env, services.meter, services.clock)
    names = services.ports.directory
    if wanted.table:
        names = _open_store(services, wanted, aws, env)
    _open_services(services, wanted, aws, names if wanted.names else None)
    if any(need.what == "jobs" for need in wanted.of_aws):
        from sma_flows.services.aws.calls import AwsCalls
        from sma_flows.services.aws.jobs import AwsJobs

        function, version = env["AWS_LAMBDA_FUNCTION_NAME"], env.get("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        services.jobs = AwsJobs(aws.api("lambda"), AwsCalls(aws.api("chime-sdk-voice")), function, version)


def _open_store(services: LocalServices, wanted: Wanted, aws: Aws, env: Mapping[str, str]) -> Directory | None:
    digests = Digests(env.get(HASH_KEY, ""))
    directory: Directory | None = None
    if wanted.keeps("directory", "secrets") or wanted.names:
        from sma_flows.services.aws.directory import DynamoDirectory

        directory = DynamoDirectory(aws.api("dynamodb"), wanted.table, digests)
    services.ports = services.ports._replace(directory=directory)
    services.limits = services.memo = None  # those of the stand-ins' file are not ours
    if wanted.keeps("limits"):
        from sma_flows.services.aws.limits import DynamoLimits
        from sma_flows.services.aws.table import Table

        services.limits = DynamoLimits(Table(aws.api("dynamodb", "limits"), wanted.table), digests)
    if wanted.keeps("memo", "queue") or wanted.notes:
        from sma_flows.services.aws.memo import DynamoMemo
        from sma_flows.services.aws.table import Table

        services.memo = DynamoMemo(Table(aws.api("dynamodb", "records"), wanted.table))
    if wanted.journal:
        from sma_flows.services.aws.journal import DynamoJournal
        from sma_flows.services.aws.table import Table
        from sma_flows.services.journal import use_journal

        use_journal(services, DynamoJournal(Table(aws.api("dynamodb", "records"), wanted.table)))
    return directory


def _open_services(services: LocalServices, wanted: Wanted, aws: Aws, names: Directory | None) -> None:
    used = {need.what for need in wanted.of_aws}
    if "meetings" in used:
        from sma_flows.services.aws.meetings import AwsMeetings

        services.ports = services.ports._replace(meetings=AwsMeetings(aws.api("chime-sdk-meetings"), names))
    if "calls" in used:
        from sma_flows.services.aws.calls import AwsCalls

        services.ports = services.ports._replace(calls=AwsCalls(aws.api("chime-sdk-voice")))
    if "channel" in used:
        from sma_flows.services.aws.channel import AwsChannel

        channel = AwsChannel(lambda region: aws.api("chime-sdk-messaging", region=region))
        for need in wanted.of_aws:
            if need.what == "channel" and wanted.value(need, "channel"):
                channel.prepare(wanted.value(need, "channel"))
        services.ports = services.ports._replace(channel=channel)
    if "queue" in used:
        from sma_flows.services.aws.queue import AwsQueue

        queue = AwsQueue(lambda service, region: aws.api(service, region=region))
        for need in wanted.of_aws:
            if need.what == "queue" and wanted.value(need, "queue"):
                queue.prepare(wanted.value(need, "queue"))
        services.ports = services.ports._replace(queue=queue)
    if used & {"stream", "capture"}:
        from sma_flows.services.aws.media import AwsCapture, AwsStream

        pipelines, meetings = aws.api("chime-sdk-media-pipelines"), aws.api("chime-sdk-meetings")
        if "stream" in used:
            services.ports = services.ports._replace(stream=AwsStream(pipelines, meetings))
        if "capture" in used:
            services.ports = services.ports._replace(capture=AwsCapture(pipelines, meetings))
    if "transcription" in used:
        from sma_flows.services.aws.transcription import AwsTranscription

        transcription = AwsTranscription(aws.api("chime-sdk-meetings"))
        services.ports = services.ports._replace(transcription=transcription)
