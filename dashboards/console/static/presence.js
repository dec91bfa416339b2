// Who is at the desk: this page says that it is visible and can sound, and confirms each ringing call it has drawn.

import * as sound from "./sound.js";

const BEAT_MS = 5000;
const PATIENCE_MS = 8000;
const me = document.body.dataset.console;
const confirmed = new Set();
const known = new Set();

export async function post(path, values, options = {}) {
  return fetch(path, { method: "POST", body: new URLSearchParams(values), headers: { Accept: "application/json" }, signal: AbortSignal.timeout(PATIENCE_MS), ...options });
}

function beat() {
  const visible = document.visibilityState === "visible";
  post("/presence", { console: me, sound: sound.isOn(), visible }).catch(() => {});
}

function inSight(element) {
  const box = element.getBoundingClientRect();
  return box.height > 0 && box.top < innerHeight && box.bottom > 0;
}

// Confirm what is really drawn: visible page, sound on, in sight, after the frame that shows it.
export function confirmDrawn() {
  if (document.visibilityState !== "visible" || !sound.isOn()) return;
  for (const one of document.querySelectorAll('[data-confirm="1"]')) {
    const key = one.dataset.key ?? `${one.dataset.id}.${one.dataset.raised}`;
    if (confirmed.has(key) || !inSight(one)) continue;
    confirmed.add(key);
    requestAnimationFrame(() => setTimeout(async () => {
      try {
        const answer = await post("/shown", { console: me, incident: one.dataset.id });
        if (answer.status >= 500) confirmed.delete(key);
      } catch {
        confirmed.delete(key);
      }
    }));
  }
}

// Keys of calls that this page has not shown before.
export function unheard(keys) {
  const fresh = keys.filter((key) => !known.has(key));
  fresh.forEach((key) => known.add(key));
  return fresh;
}

export function start() {
  beat();
  setInterval(beat, BEAT_MS);
  setInterval(confirmDrawn, 1000);
  sound.whenChanged(() => { beat(); confirmDrawn(); });
  document.addEventListener("visibilitychange", () => { beat(); confirmDrawn(); });
  document.addEventListener("scroll", confirmDrawn, { passive: true });
  addEventListener("pagehide", () => {
    post("/presence", { console: me, sound: false, visible: false }, { keepalive: true }).catch(() => {});
  });
}
