// The incident's page: kept up to date piece by piece, and everything done by one key.

import { tick } from "./clocks.js";
import * as edge from "./edge.js";
import { fetchPage, replaceAttributes, signature } from "./fragments.js";
import { look } from "./live.js";
import { post } from "./presence.js";
import { say } from "./words.js";

const incident = document.getElementById("incident");
const said = document.getElementById("said");
const SAID_MS = 6000;
const path = incident && `/incidents/${incident.dataset.id}`;
const signatures = new Map();
const dialogs = ["ask-person", "ask-note", "ask-changed", "ask-close"].map((id) => document.getElementById(id));
const waiting = new Set();
let queue = Promise.resolve();
let fading;

export async function refresh() {
  const page = await fetchPage(path);
  const after = page.getElementById("incident");
  replaceAttributes(incident, after);
  for (const part of document.querySelectorAll("[data-part]")) {
    const from = page.querySelector(`[data-part="${part.dataset.part}"]`);
    if (from) swap(part, from);
  }
  const close = document.getElementById("ask-close");
  // While somebody fills it in it keeps the version that they saw: a press since then must be seen first.
  if (!close.open) close.innerHTML = page.getElementById("ask-close").innerHTML;
  tick();
  await edge.refresh(new Set([incident.dataset.id]));
}

function swap(part, from) {
  const after = signature(from);
  if ((signatures.get(part.dataset.part) ?? signature(part)) === after) return;
  signatures.set(part.dataset.part, after);
  const focused = part.contains(document.activeElement) ? document.activeElement.id : null;
  const scrolled = part.scrollTop;
  const unfolded = [...part.querySelectorAll("details[open]")].map((one) => one.id);
  replaceAttributes(part, from);
  part.innerHTML = from.innerHTML;
  for (const id of unfolded) document.getElementById(id)?.setAttribute("open", "");
  part.scrollTop = scrolled;
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

function tell(text, refused) {
  said.textContent = text;
  said.classList.toggle("refused", refused);
  said.hidden = !text;
  fade();
}

// What was done is on the page by then; a refusal stays until the next act.
function fade() {
  clearTimeout(fading);
  if (!said.classList.contains("refused")) fading = setTimeout(() => (said.hidden = true), SAID_MS);
}

// One after the other, in the order of the keys: a quick second key is not lost, and the same key twice is one act.
function send(act, values) {
  if (waiting.has(act)) return Promise.resolve(false);
  waiting.add(act);
  queue = queue.then(() => deliver(act, values)).finally(() => waiting.delete(act));
  return queue;
}

// True: done. Otherwise why not has been said.
async function deliver(act, values) {
  try {
    const answer = await post(`${path}/${act}`, values);
    if (!answer.ok) throw new Error(String(answer.status));
    const { said: words, refused } = await answer.json();
    tell(words, refused);
    return !refused;
  } catch {
    tell(say("failed"), true);
    return false;
  } finally {
    look();
  }
}

function act(button) {
  if (button.getAttribute("aria-disabled")) return tell(button.dataset.why, true);
  const { act: name, asks } = button.dataset;
  if (!asks) return send(name, {});
  if (asks === "person") return ask(name);
  const dialog = document.getElementById(`ask-${name}`);
  dialog.showModal();
  const first = dialog.querySelector("input:checked, textarea");
  first.focus();
}

function ask(name) {
  const dialog = document.getElementById("ask-person");
  dialog.querySelector("form").action = `${path}/${name}`;
  dialog.dataset.act = name;
  const title = document.getElementById("ask-person-title");
  title.textContent = title.getAttribute(`data-${name}`);
  dialog.showModal();
}

async function submit(dialog, form, submitter) {
  const values = Object.fromEntries(new FormData(form, submitter));
  const name = new URL(form.action).pathname.split("/").pop();
  const done = await send(name, values);
  const refused = dialog.querySelector("#close-refused");
  if (done || !refused) {
    dialog.close();
    form.reset();
  } else {
    refused.textContent = said.textContent;
    refused.hidden = false;
  }
}

export function start() {
  fade();
  incident.addEventListener("click", (event) => {
    const button = event.target.closest("[data-act]");
    if (!button) return;
    event.preventDefault();
    act(button.classList.contains("act") ? button : document.getElementById(`act-${button.dataset.act}`));
  });
  for (const dialog of dialogs) {
    dialog.addEventListener("submit", (event) => {
      event.preventDefault();
      submit(dialog, event.target, event.submitter);
    });
    dialog.addEventListener("click", (event) => event.target.closest("[data-cancel]") && dialog.close());
    dialog.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) dialog.querySelector("form").requestSubmit(dialog.querySelector(".primary"));
      const digit = /^(?:Digit|Numpad)([1-9])$/.exec(event.code)?.[1];
      const chosen = digit && dialog.querySelector(`[data-digit="${digit}"]`);
      if (chosen) {
        event.preventDefault();
        chosen.click();
      }
    });
  }
}

export function key(code) {
  if (code === "Escape" || code === "KeyB") {
    location.assign("/");
    return true;
  }
  if (code === "Enter") {
    const next = document.getElementById("next-act");
    next?.click();
    return Boolean(next);
  }
  const link = document.getElementById({ KeyI: "identify", KeyP: "packet" }[code]);
  if (link) {
    location.assign(link.href);
    return true;
  }
  const letter = /^Key([A-Z])$/.exec(code)?.[1];
  const button = letter && document.querySelector(`[data-act][data-key="${letter}"]`);
  if (!button) return false;
  act(button);
  return true;
}
