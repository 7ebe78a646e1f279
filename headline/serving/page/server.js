// Calls to the server, and what can go wrong with them.

import { blank, say, tell } from "./words.js";

const KEY = "headline-key";
const $ = (id) => document.getElementById(id);

/** A refusal: its status is 0 if the server cannot be reached. */
export class Refused extends Error {
  constructor(status, detail, seconds) {
    super(detail);
    this.status = status;
    this.seconds = seconds;
  }
}

/** Calls the server; addresses are relative, so that any path may lie before them. */
export async function call(path, init = {}) {
  const headers = new Headers(init.headers);
  const key = sessionStorage.getItem(KEY);
  if (key) headers.set("Authorization", `Bearer ${key}`);
  let answer;
  try {
    answer = await fetch(path, { ...init, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, "", 0);
  }
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => ({ detail: answer.statusText }));
  if (answer.status === 401) askForKey(key !== null);
  const seconds = Number(answer.headers.get("Retry-After") ?? 2);
  throw new Refused(answer.status, told.detail, seconds);
}

export async function post(path, body, signal) {
  const init = { method: "POST", body: JSON.stringify(body), signal };
  init.headers = { "Content-Type": "application/json" };
  return (await call(path, init)).json();
}

export const hasKey = () => sessionStorage.getItem(KEY) !== null;

function askForKey(wasWrong) {
  $("key-form").hidden = false;
  if (wasWrong) $("key").value = "";
  $("key").focus();
}

/** Calls again while the server is busy; tells so each time. */
export async function patiently(work, place, signal) {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (error.status !== 429) throw error;
      tell(place, "busy", error.seconds);
      await pause(error.seconds * 1000, signal);
    }
  }
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("", "AbortError"));
    });
  });
}

/** Shows why something did not work. */
export function showProblem(place, error) {
  const problems = { 0: "gone", 401: "wrong_key" };
  const name = problems[error.status];
  if (name) tell(place, name);
  else {
    blank(place);
    const begin = error.status >= 500 ? "mistake" : "refused";
    place.textContent = say(begin) + error.message;
  }
  place.hidden = false;
}

$("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, $("key").value.trim());
  $("key").value = "";
  $("key-form").hidden = true;
  document.dispatchEvent(new Event("key"));
});
