// The HTTP API of click-to-call, as docs/click-to-call.md describes it.

export interface Seat {
  AttendeeId: string;
  ExternalUserId: string;
  JoinToken: string;
}

export interface Created {
  call: string;
  meeting: Record<string, unknown>;
  attendee: Seat;
}

export interface CallState {
  call: string;
  state: "ringing" | "talking" | "ended";
  outcome: string | null;
}

export interface Wanted {
  to: string;
  name: string;
  language: string;
}

/** The API has answered, and does not do what it was asked. `code` is its word for programs. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly call = "",
    readonly retryAfterS = 0,
  ) {
    super(message);
  }
}

/** No answer, or one that is not the API's. */
export class Unreachable extends Error {}

const RETRY_MS = 1000;
const LIMIT_MS = 20_000;

export class Api {
  private known = "";

  /** `base` is where the API is, `tokens` gives a visitor's token: anew each time it is asked. */
  constructor(
    private readonly base: string,
    private readonly tokens: () => Promise<string>,
  ) {}

  /**
   * Have somebody called. Where the answer is lost, the same request is made once more: the API knows it by its id.
   * A call that was placed then, and whose meeting we will never learn, is ended.
   */
  async create(wanted: Wanted): Promise<Created> {
    const body = { request: crypto.randomUUID(), ...wanted };
    try {
      return await this.ask<Created>("POST", "/calls", body);
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error;
    }
    await pause(RETRY_MS);
    try {
      return await this.ask<Created>("POST", "/calls", body);
    } catch (error) {
      if (error instanceof Refused && error.code === "repeated" && error.call) {
        await this.end(error.call);
        throw new Unreachable("the answer was lost");
      }
      throw error;
    }
  }

  look(call: string): Promise<CallState> {
    return this.ask("GET", `/calls/${encodeURIComponent(call)}`);
  }

  async press(call: string, keys: string): Promise<void> {
    await this.ask("POST", `/calls/${encodeURIComponent(call)}/keys`, { keys });
  }

  async end(call: string): Promise<void> {
    await this.ask("DELETE", `/calls/${encodeURIComponent(call)}`);
  }

  /** End a call while the page is being closed: nobody waits for the answer. */
  endAtOnce(call: string): void {
    const headers = { Authorization: `Bearer ${this.known}` };
    void fetch(`${this.base}/calls/${encodeURIComponent(call)}`, { method: "DELETE", headers, keepalive: true }).catch(
      () => undefined,
    );
  }

  /** A token that has expired meanwhile is replaced, once. Several requests may be on their way at the same time. */
  private async ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    const token = await this.token();
    try {
      return await this.once<T>(token, method, path, body);
    } catch (error) {
      if (!(error instanceof Refused) || error.status !== 401) throw error;
    }
    if (this.known === token) this.known = "";
    return this.once<T>(await this.token(), method, path, body);
  }

  private async token(): Promise<string> {
    this.known = this.known || (await this.tokens());
    return this.known;
  }

  private async once<T>(token: string, method: string, path: string, body?: unknown): Promise<T> {
    const headers: Record<string, string> = { Authorization: `Bearer ${token}` };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const request: RequestInit = { method, headers, signal: AbortSignal.timeout(LIMIT_MS), cache: "no-store" };
    if (body !== undefined) request.body = JSON.stringify(body);
    const answer = await reached(fetch(this.base + path, request));
    const found: unknown = await reached(answer.text()).then(parsed);
    if (answer.status === 202 || answer.status === 204) return undefined as T;
    if (answer.ok && found !== undefined) return found as T;
    const told = (typeof found === "object" && found !== null ? found : {}) as Record<string, unknown>;
    const wait = Number(answer.headers.get("Retry-After")) || 0;
    const code = told["error"] ?? (answer.status === 401 ? "not_signed_in" : undefined); // the gateway has its own body
    if (typeof code !== "string") throw new Unreachable(`an answer with status ${answer.status}`);
    throw new Refused(answer.status, code, text(told["message"]), text(told["call"]), wait);
  }
}

/** A visitor's token from the site: `POST url` answers `{"token": ...}` to whoever is signed in. */
export async function tokenFrom(url: string): Promise<string> {
  const answer = await reached(
    fetch(url, { method: "POST", credentials: "same-origin", signal: AbortSignal.timeout(LIMIT_MS) }),
  );
  if (answer.status === 401 || answer.status === 403) throw new Refused(answer.status, "not_signed_in", "");
  const found = (await answer.json().catch(() => ({}))) as Record<string, unknown>;
  if (!answer.ok || typeof found["token"] !== "string") throw new Unreachable("no token");
  return found["token"];
}

export function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}

async function reached<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch {
    throw new Unreachable("no answer");
  }
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
