// All that the page says. The left side of the tables are the words of the API.

/** What the line above the keypad says. */
export const STATE = {
  microphone: "Your browser asks whether this page may use your microphone. Please allow it.",
  placing: "Placing the call …",
  ringing: "The telephone is ringing. Stay here: you will hear whoever answers.",
  talking: "You are connected. Go ahead and talk.",
  ending: "Hanging up …",
} as const;

/** How a call ended. */
export const OUTCOME: Record<string, string> = {
  no_answer: "Nobody answered the telephone.",
  not_accepted: "Somebody or a machine picked up, but did not take the call.",
  declined: "The call was declined.",
  cancelled: "You hung up before anybody joined you.",
  talked: "The call has ended.",
  no_meeting: "The person could not be connected with you. Please try again.",
  failed: "Something went wrong with the call. Please try again.",
  unknown: "The call has ended.",
  hung_up: "You hung up.",
  lost: "The connection was lost, so the call has ended.",
};

/** Why the API does not do what it was asked. `{wait}` is a time, as in "in 5 minutes". */
export const REFUSED: Record<string, string> = {
  not_signed_in: "You are not signed in any more. Sign in again, then reload this page.",
  no_tenant: "Your account may not place calls. Please ask whoever looks after it.",
  not_a_number: "This is no complete telephone number. Write it with its country code, for example +1 206 555 0150.",
  foreign_number_refused: "Numbers in this country cannot be called from here.",
  number_kind_refused: "Numbers of this kind cannot be called from here, because they cost extra or are special.",
  number_refused: "This number cannot be called from here.",
  language_unknown: "The call cannot be held in this language. Please choose another one.",
  invalid: "Something in the form is not right. Please check it and try again.",
  too_many_for_user: "You have placed as many calls as are allowed for now. Please try again {wait}.",
  too_many_for_destination: "This number was called as often as is allowed for now. Please try again {wait}.",
  too_many_for_tenant: "Your organisation has placed as many calls as are allowed for now. Please try again {wait}.",
  repeated: "This call was placed already. Please try again.",
  no_such_call: "This call is not known any more.",
  call_ringing: "Keys can be sent as soon as somebody has joined you.",
  call_ended: "The call is over.",
  unavailable: "Calls cannot be placed just now. Please try again in a few minutes.",
  internal: "Something went wrong on our side. Please try again in a few minutes.",
  not_json: "This page and its service do not understand each other. Please reload the page.",
  too_large: "This page and its service do not understand each other. Please reload the page.",
  no_such_route: "This page and its service do not understand each other. Please reload the page.",
};

/** Refusals that are about one field of the form. */
export const FIELD: Record<string, "to" | "language"> = {
  not_a_number: "to",
  foreign_number_refused: "to",
  number_kind_refused: "to",
  number_refused: "to",
  too_many_for_destination: "to",
  language_unknown: "language",
};

/** Why there is no sound. */
export const TROUBLE = {
  denied:
    "This page may not use your microphone. Allow it in the settings of your browser, next to the address, and try again.",
  none: "No microphone was found. Connect one and try again.",
  busy: "Your microphone cannot be used. Close other programs that use it and try again.",
  insecure: "Your browser gives the microphone only to pages with a secure address. Open this page with https.",
  no_media: "Your sound could not be connected, so the call was ended. A firewall may be in the way.",
} as const;

export const UNREACHABLE = "The service cannot be reached. Check your connection and try again.";
export const NOT_SEEN = "We cannot see just now how the call is going. It goes on as it is.";
export const KEYS_LOST = "The keys could not be sent.";
export const STRANGE = "Something went wrong in this page. Please reload it.";

/** Values that are missing from the form. */
export const MISSING = {
  to: "Enter the telephone number.",
  name: "Enter your name.",
  language: "Choose a language.",
} as const;

/** A refusal in words; the API's own where the page has none. */
export function refusal(code: string, message: string, retryAfterS: number): string {
  const words = REFUSED[code] ?? message;
  return (words || STRANGE).replace("{wait}", wait(retryAfterS));
}

function wait(seconds: number): string {
  if (seconds <= 0) return "later";
  if (seconds < 90) return "in a minute";
  const minutes = Math.ceil(seconds / 60);
  return minutes < 60 ? `in ${minutes} minutes` : minutes < 90 ? "in an hour" : `in ${Math.ceil(minutes / 60)} hours`;
}
