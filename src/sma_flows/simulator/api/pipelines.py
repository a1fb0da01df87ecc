"""What the media pipeline operations do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from sma_flows.simulator.api.account import page
from sma_flows.simulator.pipelines import Kind, Pipeline

if TYPE_CHECKING:
    from sma_flows.simulator.api.plane import ControlPlane, Handler

__all__ = ["HANDLERS"]

Params = Mapping[str, Any]
_NAMES: Final[Mapping[Kind, str]] = {
    "capture": "MediaCapturePipeline",
    "live_connector": "MediaLiveConnectorPipeline",
    "concatenation": "MediaConcatenationPipeline",
}
_NOT_SHOWN: Final = ("ClientRequestToken", "Tags")


def create_capture(plane: ControlPlane, params: Params) -> dict[str, Any]:
    """CreateMediaCapturePipeline."""
    return _create(plane, "capture", params["SourceArn"], params)


def create_live_connector(plane: ControlPlane, params: Params) -> dict[str, Any]:
    """CreateMediaLiveConnectorPipeline."""
    source = params["Sources"][0]["ChimeSdkMeetingLiveConnectorConfiguration"]["Arn"]
    return _create(plane, "live_connector", source, params)


def create_concatenation(plane: ControlPlane, params: Params) -> dict[str, Any]:
    """CreateMediaConcatenationPipeline."""
    source = params["Sources"][0]["MediaCapturePipelineSourceConfiguration"]["MediaPipelineArn"]
    return _create(plane, "concatenation", source, params)


def get_capture(plane: ControlPlane, params: Params) -> dict[str, Any]:
    """GetMediaCapturePipeline."""
    return _shown(plane, plane.pipelines.get(params["MediaPipelineId"], plane.now_ms, "capture"))


def delete_capture(plane: ControlPlane, params: Params) -> None:
    """DeleteMediaCapturePipeline."""
    plane.pipelines.delete(params["MediaPipelineId"], plane.now_ms, "capture")


def get_pipeline(plane: ControlPlane, params: Params) -> dict[str, Any]:
    """GetMediaPipeline: of any kind."""
    return {"MediaPipeline": _shown(plane, plane.pipelines.get(params["MediaPipelineId"], plane.now_ms))}


def delete_pipeline(plane: ControlPlane, params: Params) -> None:
    """DeleteMediaPipeline: of any kind."""
    plane.pipelines.delete(params["MediaPipelineId"], plane.now_ms)


def list_pipelines(plane: ControlPlane, params: Params) -> dict[str, Any]:
    """ListMediaPipelines."""
    shown, more = page(plane.pipelines.all(plane.now_ms), params)
    return {"MediaPipelines": [{"MediaPipelineId": one.id, "MediaPipelineArn": one.arn} for one in shown], **more}


def _create(plane: ControlPlane, kind: Kind, source: str, params: Params) -> dict[str, Any]:
    values = {name: value for name, value in params.items() if name not in _NOT_SHOWN}
    token = params.get("ClientRequestToken", "")
    return _shown(plane, plane.pipelines.create(kind, source, values, plane.now_ms, token))


def _shown(plane: ControlPlane, pipeline: Pipeline) -> dict[str, Any]:
    """A pipeline under the name that the API has for its kind."""
    changed = pipeline.made_ms if pipeline.stopped_ms is None else pipeline.stopped_ms
    return {
        _NAMES[pipeline.kind]: {
            **pipeline.values,
            "MediaPipelineId": pipeline.id,
            "MediaPipelineArn": pipeline.arn,
            "Status": pipeline.status(plane.now_ms),
            "CreatedTimestamp": plane.iso(pipeline.made_ms),
            "UpdatedTimestamp": plane.iso(changed),
        }
    }


HANDLERS: Final[Mapping[str, Handler]] = {
    "CreateMediaCapturePipeline": create_capture,
    "GetMediaCapturePipeline": get_capture,
    "DeleteMediaCapturePipeline": delete_capture,
    "CreateMediaLiveConnectorPipeline": create_live_connector,
    "CreateMediaConcatenationPipeline": create_concatenation,
    "GetMediaPipeline": get_pipeline,
    "DeleteMediaPipeline": delete_pipeline,
    "ListMediaPipelines": list_pipelines,
}
"""By the name of the operation."""
