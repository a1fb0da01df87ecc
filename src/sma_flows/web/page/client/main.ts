// The page: what is typed and pressed goes to a `Calling`, what it tells is shown.

import { Api, tokenFrom, type Wanted } from "./api";
import { Calling, nothing, type Shown } from "./calling";
import { MISSING, STRANGE } from "./words";

/** `config.json` beside the page. */
interface Config {
  api: string;
  token: string;
  languages: string[];
  to?: string;
}

type Field = "to" | "name" | "language";

const FIELDS: Field[] = ["to", "name", "language"];
const KEYS = "123456789*0#";

function the<T extends HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

const form = the<HTMLFormElement>("form");
const fields = {
  to: the<HTMLInputElement>("to"),
  name: the<HTMLInputElement>("name"),
  language: the<HTMLSelectElement>("language"),
};
const call = the("call");
const status = the("status");
const problem = the("problem");
const clock = the("clock");
const keypad = the<HTMLFieldSetElement>("keypad");
const sent = the<HTMLOutputElement>("sent");
const mute = the<HTMLButtonElement>("mute");
const hangUp = the<HTMLButtonElement>("hang-up");
const again = the<HTMLButtonElement>("again");
const submit = the<HTMLButtonElement>("submit");

let step: Shown["step"] = "form";
let since = 0;

function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text; // a live region speaks when it changes
}

function blame(field: Field | "", words: string): void {
  for (const name of FIELDS) {
    const wrong = name === field;
    fields[name].setAttribute("aria-invalid", String(wrong));
    setText(the(`${name}-problem`), wrong ? words : "");
  }
  setText(problem, field ? "" : words);
  if (field) fields[field].focus();
}

function show(shown: Shown): void {
  const before = step;
  step = shown.step;
  const asking = step === "form" || step === "microphone" || step === "placing";
  const on = step === "ringing" || step === "talking";
  document.body.dataset["step"] = step;
  form.hidden = !asking;
  call.hidden = asking;
  for (const element of [...Object.values(fields), submit]) element.disabled = asking && step !== "form";
  setText(status, shown.status);
  keypad.disabled = step !== "talking";
  setText(sent, shown.keys.split("").join(" "));
  mute.disabled = !on;
  mute.classList.toggle("muted", shown.muted);
  setText(mute, shown.muted ? "Unmute" : "Mute");
  hangUp.disabled = !on;
  hangUp.hidden = mute.hidden = keypad.hidden = step === "ended";
  again.hidden = step !== "ended";
  if (step === "talking" && before !== "talking") since = Date.now();
  clock.hidden = step !== "talking";
  if (step === "form") blame(shown.field, shown.problem);
  else blame("", shown.problem);
  if (before === step) return;
  if (step === "ringing") the("call-title").focus();
  if (step === "ended") again.focus();
  if (step === "form" && !shown.field) submit.focus();
}

function tick(): void {
  const seconds = Math.floor((Date.now() - since) / 1000);
  if (step === "talking") setText(clock, `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`);
}

/** What was typed, if nothing is missing. */
function wanted(): Wanted | undefined {
  const found = { to: fields.to.value.trim(), name: fields.name.value.trim(), language: fields.language.value };
  const missing = FIELDS.find((name) => !found[name]);
  if (missing === undefined) return found;
  blame(missing, MISSING[missing]);
  return undefined;
}

function offer(config: Config): void {
  const names = new Intl.DisplayNames(["en"], { type: "language", languageDisplay: "standard" });
  for (const code of config.languages) fields.language.add(new Option(names.of(code) ?? code, code));
  const spoken = navigator.languages.find((one) => config.languages.includes(one));
  const near = config.languages.find((one) => one.split("-")[0] === navigator.language.split("-")[0]);
  fields.language.value = spoken ?? near ?? config.languages[0] ?? "";
  if (config.to) fields.to.value = config.to;
}

function keys(): void {
  for (const button of keypad.querySelectorAll("button")) {
    button.addEventListener("click", () => void calling?.press(button.value));
  }
  document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
    if (typing || event.ctrlKey || event.metaKey || event.altKey || event.key.length !== 1) return;
    if (step !== "talking" || !KEYS.includes(event.key)) return;
    const button = [...keypad.querySelectorAll("button")].find((one) => one.value === event.key);
    button?.classList.add("pressed");
    setTimeout(() => button?.classList.remove("pressed"), 150);
    void calling?.press(event.key);
  });
}

let calling: Calling | undefined;

async function open(): Promise<void> {
  const config = (await (await fetch("config.json", { cache: "no-store" })).json()) as Config;
  offer(config);
  const api = new Api(config.api.replace(/\/+$/, ""), () => tokenFrom(config.token));
  const element = the<HTMLAudioElement>("voice");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (calling && !calling.over) return;
    const asked = wanted();
    if (!asked) return;
    calling = new Calling(api, element, show);
    void calling.begin(asked);
  });
  mute.addEventListener("click", () => calling?.mute());
  hangUp.addEventListener("click", () => void calling?.hangUp());
  again.addEventListener("click", () => show(nothing()));
  window.addEventListener("pagehide", () => calling?.closed());
  keys();
  setInterval(tick, 500);
  submit.disabled = false;
}

open().catch((error: unknown) => {
  console.error(error);
  setText(problem, STRANGE);
});
