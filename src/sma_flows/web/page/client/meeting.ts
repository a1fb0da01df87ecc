// The visitor's place in the meeting: the microphone, and the session of amazon-chime-sdk-js.

import {
  ConsoleLogger,
  DefaultDeviceController,
  DefaultMeetingSession,
  LogLevel,
  MeetingSessionConfiguration,
  MeetingSessionStatusCode,
  type AudioVideoObserver,
  type MeetingSession,
} from "amazon-chime-sdk-js";

import type { Seat } from "./api";

/** Why there is no sound; a word of `TROUBLE` in words.ts. */
export class Silent extends Error {
  constructor(readonly why: "denied" | "none" | "busy" | "insecure" | "no_media") {
    super(why);
  }
}

const JOIN_LIMIT_MS = 30_000;

/** The microphone, after the visitor was asked for it. */
export async function microphone(): Promise<MediaStream> {
  if (!navigator.mediaDevices) throw new Silent("insecure"); // browsers have them on https and localhost only
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: true });
  } catch (error) {
    const name = error instanceof DOMException ? error.name : "";
    if (name === "NotAllowedError" || name === "SecurityError") throw new Silent("denied");
    throw new Silent(name === "NotFoundError" || name === "OverconstrainedError" ? "none" : "busy");
  }
}

export function release(stream: MediaStream | undefined): void {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

export interface Told {
  /** Somebody else has come or gone. */
  changed(): void;
  /** The session is over although nobody here has left it: the meeting was ended, or the connection is lost. */
  over(ended: boolean): void;
}

export class Place {
  private readonly session: MeetingSession;
  private left = false;

  constructor(
    meeting: Record<string, unknown>,
    private readonly seat: Seat,
    private readonly told: Told,
  ) {
    const logger = new ConsoleLogger("call", LogLevel.WARN);
    const configuration = new MeetingSessionConfiguration(meeting, seat);
    this.session = new DefaultMeetingSession(configuration, logger, new DefaultDeviceController(logger));
  }

  /** Be in the meeting: resolves when sound can flow. Rejects with `Silent` after half a minute at most. */
  async join(stream: MediaStream, element: HTMLAudioElement): Promise<void> {
    const media = this.session.audioVideo;
    await media.startAudioInput(stream);
    await media.bindAudioElement(element);
    media.realtimeSubscribeToAttendeeIdPresence((attendee) => {
      if (attendee !== this.seat.AttendeeId) this.told.changed();
    });
    await new Promise<void>((done, failed) => {
      let started = false;
      const late = setTimeout(() => failed(new Silent("no_media")), JOIN_LIMIT_MS);
      const observer: AudioVideoObserver = {
        audioVideoDidStart: () => {
          started = true;
          clearTimeout(late);
          done();
        },
        audioVideoDidStop: (status) => {
          clearTimeout(late);
          if (!started) failed(new Silent("no_media"));
          else if (!this.left) this.told.over(status.statusCode() === MeetingSessionStatusCode.MeetingEnded);
        },
      };
      media.addObserver(observer);
      media.start();
    });
  }

  /** Gives whether the microphone is muted then. */
  mute(on: boolean): boolean {
    const media = this.session.audioVideo;
    if (on) media.realtimeMuteLocalAudio();
    else media.realtimeUnmuteLocalAudio();
    return media.realtimeIsLocalAudioMuted();
  }

  leave(): void {
    if (this.left) return;
    this.left = true;
    this.session.audioVideo.stop();
    void this.session.audioVideo.stopAudioInput().catch(() => undefined);
    this.session.audioVideo.unbindAudioElement();
  }
}
