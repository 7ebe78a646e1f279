// The list of headlines: edited in place, explained, copied.

import { label, say, tell } from "./words.js";
import { post } from "./server.js";

const $ = (id) => document.getElementById(id);
const LEAST = 0.1; // weight from which a place of the article is shown
const SOON = 250; // milliseconds after the last key
const length = (text) => [...text].length;

let article = "";
let changed = () => {};

/** Shows the headlines of an article; calls back when one is edited. */
export function show(text, headlines, whenChanged) {
  article = text;
  changed = whenChanged;
  $("headlines").replaceChildren(...headlines.map(line));
  $("origin").hidden = true;
  $("marks").hidden = true;
}

/** Returns the headlines as they are now. */
export function current() {
  return [...document.querySelectorAll("#headlines li")].map((one) => one.headline);
}

/** Copies a headline, by its place from 0. */
export async function copy(place) {
  const one = document.querySelectorAll("#headlines li")[place];
  if (!one) return;
  try {
    await navigator.clipboard.writeText(one.headline.text);
    tell(one.querySelector("button"), "copied");
    setTimeout(() => tell(one.querySelector("button"), "copy"), 1500);
  } catch {
    tell($("status"), "not_copied");
    one.querySelector("input").select();
  }
}

function line(headline, place) {
  const item = document.createElement("li");
  const input = document.createElement("input");
  const button = document.createElement("button");
  const row = document.createElement("div");
  item.headline = { ...headline };
  item.trace = document.createElement("p");
  item.facts = document.createElement("p");
  item.trace.className = "trace";
  item.trace.lang = "zh-CN";
  item.facts.className = "facts";
  row.className = "line";
  input.value = headline.text;
  input.lang = "zh-CN";
  label(input, "nth", place + 1);
  button.type = "button";
  tell(button, "copy");
  button.addEventListener("click", () => copy(place));
  row.append(input, button);
  item.append(row, item.trace, item.facts);
  listen(item, input);
  facts(item);
  return item;
}

function listen(item, input) {
  let timer;
  input.addEventListener("input", () => {
    // What was told about the old text no longer holds.
    item.headline = { text: input.value, unsupported: [] };
    facts(item);
    clearTimeout(timer);
    timer = setTimeout(() => check(item), SOON);
    changed();
  });
  const point = () => {
    if (document.activeElement !== input) return;
    const before = length(input.value.slice(0, input.selectionStart));
    showSources(item.tokens ?? [], tokenAt(item.tokens ?? [], before));
  };
  for (const name of ["focus", "keyup", "click"]) input.addEventListener(name, point);
  item.addEventListener("mouseenter", () => showSources(item.tokens ?? [], null));
}

/** Asks again about a headline that was edited. */
async function check(item) {
  const text = item.headline.text;
  if (!text.trim()) return;
  const found = await post("v1/explain", { text: article, headlines: [text] })
    .catch(() => null);
  if (found === null || item.headline.text !== text) return;
  take(item, found.headlines[0]);
}

/** Asks where the characters of all headlines come from. */
export async function explain(signal) {
  const items = [...document.querySelectorAll("#headlines li")]
    .filter((one) => one.headline.text);
  if (!items.length) return;
  const headlines = items.map((one) => one.headline.text);
  const found = await post("v1/explain", { text: article, headlines }, signal);
  source(found);
  items.forEach((item, at) => take(item, found.headlines[at]));
}

function take(item, explained) {
  if (!explained) return;
  item.tokens = explained.tokens;
  item.headline = { ...item.headline, unsupported: explained.unsupported };
  facts(item);
  let at = 0;
  item.trace.replaceChildren(...item.tokens.map((token, place) => {
    const span = document.createElement("span");
    span.textContent = token.text;
    const end = at + length(token.text);
    span.classList.toggle("copied", token.copied);
    span.classList.toggle("unsure", token.unsure);
    span.classList.toggle("lacking", explained.unsupported.some(
      (one) => one.start < end && at < one.end));
    span.addEventListener("mouseenter", () => showSources(item.tokens, place));
    span.addEventListener("click", () => showSources(item.tokens, place));
    at = end;
    return span;
  }));
}

function facts(item) {
  const { text, confidence, style, unsupported } = item.headline;
  const known = [say("characters", length(text))];
  if (confidence !== undefined && confidence !== null) {
    known.push(say("confidence", `${Math.round(confidence)}%`));
  }
  if (style) known.push(say("style", style));
  item.facts.replaceChildren(known.join(" · "));
  mark(item.facts, "lacking", (unsupported ?? []).filter((one) => !one.in_pieces));
  mark(item.facts, "in_pieces", (unsupported ?? []).filter((one) => one.in_pieces));
}

/** Adds what an article lacks, if it lacks something. */
function mark(facts, name, found) {
  if (!found.length) return;
  const lacking = document.createElement("span");
  lacking.className = "lacking";
  lacking.textContent = say(name, found.map((one) => one.text).join(" "));
  facts.append(" · ", lacking);
}

/** Shows the article as the model reads it. */
function source(explained) {
  const spans = explained.source.map((text) => {
    const span = document.createElement("span");
    span.textContent = text;
    return span;
  });
  const rest = document.createElement("span");
  rest.className = "unread";
  rest.textContent = explained.unread;
  $("source").replaceChildren(...spans, rest);
  $("origin").hidden = false;
  $("marks").hidden = false;
}

/** Scrolls within the article only: the page stays where it is. */
function reveal(span) {
  const box = $("source");
  if (!span) return;
  const top = span.offsetTop - box.offsetTop;
  const isSeen = top >= box.scrollTop && top + 20 <= box.scrollTop + box.clientHeight;
  if (!isSeen) box.scrollTop = top - box.clientHeight / 2;
}

function tokenAt(tokens, before) {
  let end = 0;
  const place = tokens.findIndex((token) => (end += length(token.text)) > before);
  return place < 0 ? null : place;
}

/** Marks where a token comes from; null for all that were copied. */
function showSources(tokens, place) {
  const spans = $("source").children;
  for (const span of spans) span.className = span.className === "unread" ? "unread" : "";
  const shown = place === null ? tokens.filter((one) => one.copied) : [tokens[place]];
  for (const token of shown) {
    token.places.forEach(({ place: at, weight }, rank) => {
      const counts = place === null ? rank === 0 : weight >= LEAST;
      if (counts && spans[at]) spans[at].className = rank === 0 ? "most" : "from";
    });
  }
  reveal($("source").querySelector(".most"));
}
