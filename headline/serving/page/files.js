// The tab for files: send one, follow it, cancel it, take the result.

import { blank, tell } from "./words.js";
import { call, hasKey, patiently, showProblem } from "./server.js";
import { options } from "./settings.js";

const $ = (id) => document.getElementById(id);
const EVERY = 500; // milliseconds
let job = null; // its address
let stopping = null;

export function start() {
  $("file-form").addEventListener("submit", (event) => {
    event.preventDefault();
    if ($("file").files.length) work($("file").files[0]);
  });
  $("cancel").addEventListener("click", cancel);
  $("download").addEventListener("click", download);
  const form = $("file-form");
  form.addEventListener("dragover", (event) => {
    event.preventDefault();
    form.classList.add("over");
  });
  form.addEventListener("dragleave", () => form.classList.remove("over"));
  form.addEventListener("drop", (event) => {
    event.preventDefault();
    form.classList.remove("over");
    if (event.dataTransfer.files.length) $("file").files = event.dataTransfer.files;
  });
}

async function work(file) {
  await cancel();
  stopping = new AbortController();
  const signal = stopping.signal;
  $("file-problem").hidden = $("download").hidden = true;
  $("cancel").hidden = false;
  $("notes").replaceChildren();
  $("progress").value = 0;
  tell($("file-status"), "sending");
  try {
    const sent = await patiently(() => send(file, signal), $("file-status"), signal);
    job = `v1/files/${sent.id}`;
    await follow(sent, signal);
  } catch (error) {
    if (error.name === "AbortError") return;
    blank($("file-status"));
    showProblem($("file-problem"), error);
  } finally {
    if (stopping?.signal === signal) $("cancel").hidden = true;
  }
}

async function send(file, signal) {
  const query = new URLSearchParams({ name: file.name });
  query.set("options", JSON.stringify(options(false)));
  if (/\.txt(\.gz)?$/i.test(file.name)) query.set("lines", "true");
  const init = { method: "POST", body: file, signal };
  init.headers = { "Content-Type": "application/octet-stream" };
  return (await call(`v1/files?${query}`, init)).json();
}

async function follow(state, signal) {
  while (state.state === "waiting" || state.state === "running") {
    const name = state.state;
    tell($("file-status"), name, state.articles);
    $("progress").value = state.size ? state.read / state.size : 0;
    await new Promise((resolve) => setTimeout(resolve, EVERY));
    if (signal.aborted) return;
    state = await (await call(job, { signal })).json();
  }
  $("notes").replaceChildren(...state.notes.map((note) => {
    const item = document.createElement("li");
    item.textContent = note;
    return item;
  }));
  if (state.state === "failed") {
    tell($("file-status"), "failed");
    $("file-problem").textContent = state.error;
    $("file-problem").hidden = false;
    return;
  }
  $("progress").value = 1;
  tell($("file-status"), "done", state.articles);
  $("download").href = `${job}/result`;
  $("download").hidden = false;
}

async function cancel() {
  if (!stopping) return;
  stopping.abort();
  stopping = null;
  $("cancel").hidden = true;
  tell($("file-status"), "cancelled");
  $("progress").value = 0;
  if (job) await call(job, { method: "DELETE" }).catch(() => null);
  job = null;
}

/** A link cannot show a key; then the result is fetched. */
async function download(event) {
  if (!hasKey() || $("download").href.startsWith("blob:")) return;
  event.preventDefault();
  try {
    const answer = await call(`${job}/result`);
    const name = /filename\*?=(?:utf-8'')?"?([^";]+)/.exec(
      answer.headers.get("Content-Disposition") ?? "");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await answer.blob());
    link.download = name ? decodeURIComponent(name[1]) : "headlines";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  } catch (error) {
    showProblem($("file-problem"), error);
  }
}
