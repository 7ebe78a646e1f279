// What the editor requires of the headlines.

import { label } from "./words.js";
import { call } from "./server.js";

const $ = (id) => document.getElementById(id);
let confident = false; // whether the model can tell how sure it is
const words = { must: new Set(), avoid: new Set() };

/** Returns the options of a request. */
export function options(several) {
  const most = Number($("max-length").value) || 40;
  const found = {
    max_length: most,
    target_length: Math.min(most, Number($("target-length").value) || 0),
    prefix: $("prefix").value,
    must_include: [...words.must],
    avoid: [...words.avoid],
  };
  if (!several) return found;
  const number = Number($("number").value) || 1;
  const diversity = number > 1 ? Number($("variety").value) : 0;
  return { ...found, num_headlines: number, diversity, with_confidence: confident };
}

/** Adds a word that must be in each headline, or in none. */
export function addWord(kind, word) {
  const text = word.trim();
  if (!text) return;
  words[kind === "must" ? "avoid" : "must"].delete(text);
  words[kind].add(text);
  $("settings").open = true;
  show();
}

function show() {
  for (const kind of ["must", "avoid"]) {
    $(kind).replaceChildren(...[...words[kind]].map((word) => chip(kind, word)));
    $(kind).parentElement.hidden = words[kind].size === 0;
  }
}

function chip(kind, word) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = `${word} ×`;
  label(button, "remove", word);
  button.addEventListener("click", () => {
    words[kind].delete(word);
    show();
  });
  const item = document.createElement("li");
  item.append(button);
  return item;
}

/** Takes the limits of the model that is served. */
export async function readDefaults() {
  const model = await (await call("v1/model")).json();
  $("max-length").value = model.defaults.max_length;
  confident = model.confidence;
  $("target-length").value = model.defaults.target_length;
}
