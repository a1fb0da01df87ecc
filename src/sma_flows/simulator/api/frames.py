"""Frames between a browser and its meeting, coded as amazon-chime-sdk-js codes them.

A frame travels as one binary message of the WebSocket: the byte 5, then a protocol buffer ``SdkSignalFrame``. Numbers,
types and names of the fields are those of the definitions in amazon-chime-sdk-js 3.32.0 (build/signalingprotocol). Here
are the frames that the simulated service sends or looks into; others arrive as a ``type`` and nothing more.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

__all__ = ["FIRST_BYTE", "FrameError", "Ping", "Type", "coded", "read"]

FIRST_BYTE: Final = b"\x05"
"""What comes before each frame (FRAME_TYPE_RTC). Some services send 2, which the client takes as well."""


class FrameError(ValueError):
    """Bytes that are no frame."""


class Type(IntEnum):
    """SdkSignalFrame.Type, as far as it is used here."""

    JOIN = 1
    JOIN_ACK = 2
    SUBSCRIBE = 3
    SUBSCRIBE_ACK = 4
    INDEX = 5
    LEAVE = 9
    LEAVE_ACK = 10
    AUDIO_CONTROL = 16
    AUDIO_STREAM_ID_INFO = 18
    PING_PONG = 19
    AUDIO_STATUS = 20


class Ping(IntEnum):
    """SdkPingPongType."""

    PING = 1
    PONG = 2


_FIELDS: Final = """
SdkSignalFrame:            1 timestampMs uint64; 2 type int32; 3 error SdkErrorFrame; 5 joinack SdkJoinAckFrame;
                           6 sub SdkSubscribeFrame; 7 suback SdkSubscribeAckFrame; 8 index SdkIndexFrame;
                           12 leaveAck SdkLeaveAckFrame; 17 audioControl SdkAudioControlFrame;
                           19 audioStreamIdInfo SdkAudioStreamIdInfoFrame; 20 pingPong SdkPingPongFrame;
                           21 audioStatus SdkAudioStatusFrame
SdkErrorFrame:             1 status uint32; 2 description string
SdkJoinAckFrame:           1 turnCredentials SdkTurnCredentials; 3 wantsCompressedSdp bool
SdkTurnCredentials:        1 username string; 2 password string; 3 ttl uint32; 4 uris string*
SdkIndexFrame:             1 atCapacity bool; 4 numParticipants uint32
SdkSubscribeFrame:         4 sdpOffer string; 7 audioMuted bool
SdkSubscribeAckFrame:      1 duplex int32; 3 sdpAnswer string
SdkLeaveAckFrame:
SdkAudioControlFrame:      1 muted bool
SdkAudioStreamIdInfoFrame: 1 streams SdkAudioStreamIdInfo*
SdkAudioStreamIdInfo:      1 audioStreamId uint32; 2 attendeeId string; 3 muted bool; 4 externalUserId string;
                           5 dropped bool
SdkPingPongFrame:          1 type int32; 2 pingId uint32
SdkAudioStatusFrame:       1 audioStatus uint32
"""
"""Messages with number, name and type of their fields; ``*``: as many as one likes. Enumerations are whole numbers."""


def _messages() -> Any:
    """The class of SdkSignalFrame."""
    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="signal.proto", package="signal", syntax="proto2")
    for definition in _FIELDS.strip().replace(";\n", "; ").split("\n"):
        name, _, fields = definition.partition(":")
        message = file.message_type.add(name=name)
        for number, field, kind in (one.split() for one in fields.split(";") if one.strip()):
            plain, many = kind.rstrip("*"), kind.endswith("*")
            made = message.field.add(number=int(number), name=field)
            made.label = kinds.LABEL_REPEATED if many else kinds.LABEL_OPTIONAL
            if plain.startswith("Sdk"):
                made.type, made.type_name = kinds.TYPE_MESSAGE, f".signal.{plain}"
            else:
                made.type = getattr(kinds, f"TYPE_{plain.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("signal.SdkSignalFrame"))


_Frame: Final = _messages()


def coded(kind: Type, now_ms: int, **parts: Any) -> bytes:
    """A frame as it is sent: ``coded(Type.INDEX, now_ms, index={"numParticipants": 1})``."""
    body: bytes = _Frame(timestampMs=now_ms, type=int(kind), **parts).SerializeToString()
    return FIRST_BYTE + body


def read(data: bytes) -> Any:
    """A frame that arrived, with the fields above as attributes.

    Raises:
        FrameError: it is none.
    """
    frame = _Frame()
    try:
        frame.ParseFromString(data[1:])
    except DecodeError:
        raise FrameError("the bytes are no SdkSignalFrame") from None
    if data[:1] != FIRST_BYTE or not frame.HasField("type"):
        raise FrameError("the bytes are no SdkSignalFrame")
    return frame
