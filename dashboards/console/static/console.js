// Every page of the desk: live, audible, honest about both, and worked by keys.

import * as asking from "./asking.js";
import * as tasks from "./tasks.js";
import * as board from "./board.js";
import * as clocks from "./clocks.js";
import * as edge from "./edge.js";
import * as incident from "./incident.js";
import * as live from "./live.js";
import * as presence from "./presence.js";
import * as sound from "./sound.js";
import { say } from "./words.js";

const onBoard = document.getElementById("board") !== null;
const onIncident = document.getElementById("incident") !== null;
const announcement = document.getElementById("announce");
const title = document.title;

// After every change: sound for what rings, words for who cannot see it, a confirmation for what is drawn.
function changed() {
  const here = document.querySelectorAll('.row[data-ringing="1"], .chip, #incident[data-ringing="1"]');
  const ringing = new Map([...here].map((one) => [one.dataset.id, one]));
  const dangers = [...ringing.values()].filter((one) => one.dataset.danger === "1");
  const times = Math.max(1, ...dangers.map((one) => Number(one.dataset.times)));
  sound.ringing(dangers.length, ringing.size - dangers.length, times);
  document.title = (ringing.size ? say("title_ringing", { n: ringing.size }) : "") + title;
  const fresh = presence.unheard([...ringing.values()].map((one) => one.dataset.key).filter(Boolean));
  const newest = [...ringing.values()].filter((one) => fresh.includes(one.dataset.key) && one.id !== "incident").pop();
  if (newest) {
    const text = (selector) => newest.querySelector(selector)?.textContent.trim() ?? "";
    announcement.textContent = say("announce", { what: text(".what, b + b"), who: text(".who-name, .chip-who") });
  }
  presence.confirmDrawn();
}

async function refresh() {
  if (onBoard) await board.refresh();
  else if (onIncident) await incident.refresh();
  else await edge.refresh(new Set());
  changed();
  // After what rings, and apart from it: whether this can be fetched says nothing about whether presses are heard.
  if (onBoard) asking.refresh().catch(() => {});
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
  if (document.querySelector("dialog[open]")) return;
  // The focus leaves a form some moments after it was closed: a quick key is for the page, not for a field out of sight.
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (typing && !typing.closest("dialog:not([open])")) return;
  const pressable = event.target.closest("a, button, summary");
  // Enter on a button or a link is that button's or link's.
  if (pressable && event.code === "Enter") return;
  const page = onBoard ? board : onIncident ? incident : null;
  // The physical key: an input method for Chinese would otherwise swallow it. And what was ours is nobody else's: a
  // key that opens a form must not be typed into it.
  if (page?.key(event.code)) event.preventDefault();
});

clocks.start();
sound.start();
presence.start();
tasks.start();
if (onBoard) board.start(changed);
if (onIncident) incident.start();
changed();
live.start(refresh, asking.refresh, onBoard);
// Calls and entries of the journal come without a change of the incident itself.
if (onIncident) setInterval(() => document.hidden || live.look(), 3000);
