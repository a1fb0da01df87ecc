// One call from the click to its end. What is shown of it is a `Shown`, told anew whenever something changes.

import { Api, pause, Refused, Unreachable, type Wanted } from "./api";
import { microphone, Place, release, Silent } from "./meeting";
import { FIELD, KEYS_LOST, NOT_SEEN, OUTCOME, refusal, STATE, STRANGE, TROUBLE, UNREACHABLE } from "./words";

export interface Shown {
  /** `form`: nothing is going on, and `problem` says why not. */
  step: "form" | "microphone" | "placing" | "ringing" | "talking" | "ending" | "ended";
  status: string;
  problem: string;
  field: "to" | "language" | "";
  muted: boolean;
  keys: string;
}

export function nothing(): Shown {
  return { step: "form", status: "", problem: "", field: "", muted: false, keys: "" };
}

const LOOK_MS = 1000;
const LOOK_TALKING_MS = 2500;
const BLIND_LOOKS = 4;
const LAST_LOOKS = 5;
const MOST_KEYS = 32;

export class Calling {
  readonly shown: Shown = nothing();
  private call = "";
  private place: Place | undefined;
  private stream: MediaStream | undefined;
  private pending = "";
  private sending = false;
  private joined = false;
  private nudge: () => void = () => undefined;

  constructor(
    private readonly api: Api,
    private readonly element: HTMLAudioElement,
    private readonly show: (shown: Shown) => void,
  ) {}

  get over(): boolean {
    return this.shown.step === "ended" || this.shown.step === "form";
  }

  /** Microphone first: nobody's telephone rings for a visitor who cannot talk. */
  async begin(wanted: Wanted): Promise<void> {
    try {
      this.tell({ step: "microphone", status: STATE.microphone });
      this.stream = await microphone();
      this.tell({ step: "placing", status: STATE.placing });
      const made = await this.api.create(wanted);
      this.call = made.call;
      this.tell({ step: "ringing", status: STATE.ringing });
      this.place = new Place(made.meeting, made.attendee, {
        changed: () => this.nudge(),
        over: (ended) => void this.cut(ended),
      });
      const joined = this.place.join(this.stream, this.element);
      void this.watch();
      await joined;
      this.joined = true;
      this.nudge();
    } catch (error) {
      await this.fail(error);
    }
  }

  async hangUp(): Promise<void> {
    if (this.over || this.shown.step === "ending") return;
    const talked = this.shown.step === "talking";
    this.tell({ step: "ending", status: STATE.ending });
    this.place?.leave();
    try {
      await this.api.end(this.call);
      this.finish(talked ? "hung_up" : "cancelled");
    } catch (error) {
      this.finish(talked ? "hung_up" : "cancelled");
      this.tell({ problem: told(error).problem });
    }
  }

  /** Keys that are typed while others are on their way travel together: the service takes five updates a second. */
  async press(key: string): Promise<void> {
    if (this.shown.step !== "talking" || this.pending.length >= MOST_KEYS) return;
    this.pending += key;
    if (this.sending) return;
    this.sending = true;
    try {
      while (this.pending && this.shown.step === "talking") {
        const keys = this.pending;
        this.pending = "";
        await this.api.press(this.call, keys);
        this.tell({ keys: (this.shown.keys + keys).slice(-MOST_KEYS), problem: "" });
      }
    } catch (error) {
      this.pending = "";
      this.tell({ problem: `${KEYS_LOST} ${told(error).problem}` });
      this.nudge();
    } finally {
      this.sending = false;
    }
  }

  mute(): void {
    if (this.place && !this.over) this.tell({ muted: this.place.mute(!this.shown.muted) });
  }

  /** The page goes away: so does the call. */
  closed(): void {
    if (this.call && !this.over) this.api.endAtOnce(this.call);
  }

  private tell(change: Partial<Shown>): void {
    Object.assign(this.shown, change);
    this.show(this.shown);
  }

  /** Ask how far the call has come until it is over. */
  private async watch(): Promise<void> {
    let blind = 0;
    while (!this.over && this.shown.step !== "ending") {
      try {
        const found = await this.api.look(this.call);
        if (blind >= BLIND_LOOKS) this.tell({ problem: "" });
        blind = 0;
        if (this.over || (this.shown.step as string) === "ending") return;
        if (found.state === "ended") return this.finish(found.outcome ?? "unknown");
        const both = found.state === "talking" && this.joined;
        if (both && this.shown.step === "ringing") this.tell({ step: "talking", status: STATE.talking });
      } catch (error) {
        if (error instanceof Refused && error.status === 404) return this.finish("unknown");
        blind += 1;
        if (blind === BLIND_LOOKS && !this.over) this.tell({ problem: NOT_SEEN });
      }
      await this.turn();
    }
  }

  private async turn(): Promise<void> {
    const nudged = new Promise<void>((done) => (this.nudge = done));
    await Promise.race([nudged, pause(this.shown.step === "talking" ? LOOK_TALKING_MS : LOOK_MS)]);
  }

  /** The session ended by itself. Where the meeting was ended, the API knows in a moment why. */
  private async cut(ended: boolean): Promise<void> {
    this.place?.leave();
    for (let looks = 0; ended && looks < LAST_LOOKS && !this.over; looks += 1) {
      this.nudge();
      await pause(LOOK_MS);
    }
    if (this.over || this.shown.step === "ending") return;
    const talked = this.shown.step === "talking";
    await this.api.end(this.call).catch(() => undefined);
    this.finish(ended ? (talked ? "talked" : "unknown") : "lost");
  }

  private finish(outcome: string): void {
    if (this.over) return;
    this.place?.leave();
    release(this.stream);
    this.tell({ step: "ended", status: OUTCOME[outcome] ?? OUTCOME["unknown"]!, problem: "" });
  }

  private async fail(error: unknown): Promise<void> {
    if (this.over || this.shown.step === "ending") return;
    this.place?.leave();
    release(this.stream);
    this.tell({ step: "form", status: "", ...told(error) });
    if (this.call) await this.api.end(this.call).catch(() => undefined);
  }
}

/** What went wrong, in words. */
function told(error: unknown): { problem: string; field: "to" | "language" | "" } {
  if (error instanceof Silent) return { problem: TROUBLE[error.why], field: "" };
  if (error instanceof Unreachable) return { problem: UNREACHABLE, field: "" };
  if (error instanceof Refused)
    return { problem: refusal(error.code, error.message, error.retryAfterS), field: FIELD[error.code] ?? "" };
  console.error(error);
  return { problem: STRANGE, field: "" };
}
