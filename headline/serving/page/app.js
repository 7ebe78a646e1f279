// The page: tabs, the article, and what happens when.

import { blank, switchLanguage, tell, translate } from "./words.js";
import { patiently, post, showProblem } from "./server.js";
import { addWord, options, readDefaults } from "./settings.js";
import { copy, current, explain, show } from "./headlines.js";
import * as files from "./files.js";
import * as today from "./today.js";

const $ = (id) => document.getElementById(id);
const TABS = ["tab-article", "tab-file"];
let stopping = null;

// --- tabs ----------------------------------------------------------------------------

function choose(id) {
  for (const tab of TABS) {
    const chosen = tab === id;
    $(tab).setAttribute("aria-selected", String(chosen));
    $(tab).tabIndex = chosen ? 0 : -1;
    $($(tab).getAttribute("aria-controls")).hidden = !chosen;
  }
}

for (const tab of TABS) {
  $(tab).addEventListener("click", () => choose(tab));
  $(tab).addEventListener("keydown", (event) => {
    if (!["ArrowLeft", "ArrowRight"].includes(event.key)) return;
    const other = TABS.find((one) => one !== tab);
    choose(other);
    $(other).focus();
  });
}

// --- headlines -----------------------------------------------------------------------

async function write() {
  const text = $("article").value;
  stopping?.abort();
  $("problem").hidden = true;
  if (!text.trim()) {
    show("", [], () => {});
    tell($("status"), "no_article");
    $("article").focus();
    return;
  }
  stopping = new AbortController();
  const signal = stopping.signal;
  working(true);
  tell($("status"), "working");
  try {
    const asked = { text, options: options(true) };
    const found = await patiently(
      () => post("v1/headlines", asked, signal), $("status"), signal);
    const headlines = found.results[0].headlines;
    show(text, headlines, () => today.keep(text, current()));
    tell($("status"), "ready", headlines.length);
    today.keep(text, current());
    working(false);
    await explain(signal);
  } catch (error) {
    if (signal !== stopping?.signal) return; // another request has begun
    if (error.name === "AbortError") tell($("status"), "stopped");
    else {
      if (current().length) blank($("status"));
      else tell($("status"), "nothing_yet");
      showProblem($("problem"), error);
    }
  } finally {
    if (signal === stopping?.signal) working(false);
  }
}

function working(is) {
  $("stop").hidden = !is;
  $("status").classList.toggle("working", is);
  $("headlines").setAttribute("aria-busy", String(is));
}

$("article-form").addEventListener("submit", (event) => {
  event.preventDefault();
  write();
});
$("stop").addEventListener("click", () => stopping?.abort());
document.addEventListener("key", () => {
  readDefaults().catch(() => {});
  if ($("article").value.trim()) write();
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    if (!$("panel-article").hidden) write();
  }
  const digit = /^Digit([1-9])$/.exec(event.code);
  if (event.altKey && !event.ctrlKey && !event.metaKey && digit) {
    event.preventDefault();
    copy(Number(digit[1]) - 1);
  }
});

// --- the article ---------------------------------------------------------------------

const selected = () => {
  const { value, selectionStart, selectionEnd } = $("article");
  return value.slice(selectionStart, selectionEnd).trim();
};

function offerWords() {
  const word = selected();
  const fits = word !== "" && [...word].length <= 20 && !word.includes("\n");
  $("add-must").disabled = $("add-avoid").disabled = !fits;
}

for (const name of ["select", "keyup", "mouseup", "input", "blur"]) {
  $("article").addEventListener(name, offerWords);
}
document.addEventListener("selectionchange", offerWords);
$("add-must").addEventListener("click", () => addWord("must", selected()));
$("add-avoid").addEventListener("click", () => addWord("avoid", selected()));

$("article").addEventListener("dragover", (event) => {
  event.preventDefault();
  $("article").classList.add("over");
});
$("article").addEventListener("dragleave", () => $("article").classList.remove("over"));
$("article").addEventListener("drop", async (event) => {
  $("article").classList.remove("over");
  const file = event.dataTransfer.files[0];
  if (!file) return; // text: the browser puts it in
  event.preventDefault();
  $("article").value = await file.text();
});

// --- start ---------------------------------------------------------------------------

$("language").addEventListener("click", switchLanguage);
if (matchMedia("(max-width: 46rem)").matches) $("settings").open = false;
translate();
files.start();
today.start(({ article, headlines }) => {
  choose("tab-article");
  $("article").value = article;
  show(article, headlines, () => today.keep(article, current()));
  tell($("status"), "ready", headlines.length);
  $("article").focus();
  explain().catch(() => {});
});
readDefaults().catch((error) => {
  if (error.status !== 401) showProblem($("problem"), error);
});
