// Today's work, kept in this browser until the day is over, if the editor wants that.

const WORK = "headline-today";
const KEEP = "headline-keep";
const MOST = 50;
const $ = (id) => document.getElementById(id);

const day = () => new Date().toDateString();

function read() {
  try {
    const kept = JSON.parse(localStorage.getItem(WORK)) ?? {};
    return kept.day === day() ? kept.entries : [];
  } catch {
    return [];
  }
}

function write(entries) {
  try {
    localStorage.setItem(WORK, JSON.stringify({ day: day(), entries }));
  } catch {
    if (entries.length > 1) write(entries.slice(0, entries.length >> 1));
  }
}

const wanted = () => localStorage.getItem(KEEP) !== "no";

/** Keeps an article with its headlines; the newest of an article counts. */
export function keep(article, headlines) {
  if (!wanted()) return;
  const others = read().filter((entry) => entry.article !== article);
  write([{ article, headlines }, ...others].slice(0, MOST));
  show();
}

let restore = () => {};

/** Shows today's work; restores an entry when it is chosen. */
export function start(chosen) {
  restore = chosen;
  $("keep").checked = wanted();
  $("keep").addEventListener("change", () => {
    localStorage.setItem(KEEP, $("keep").checked ? "yes" : "no");
    if (!$("keep").checked) localStorage.removeItem(WORK);
    show();
  });
  $("clear").addEventListener("click", () => {
    localStorage.removeItem(WORK);
    show();
  });
  write(read());
  show();
}

function show() {
  const entries = wanted() ? read() : [];
  $("today-none").hidden = entries.length > 0;
  $("today").replaceChildren(...entries.map(item));
}

function item(entry) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = entry.headlines[0]?.text || entry.article.slice(0, 30);
  button.lang = "zh-CN";
  button.addEventListener("click", () => restore(entry));
  const line = document.createElement("li");
  line.append(button);
  return line;
}
