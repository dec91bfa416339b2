// Clocks that count by themselves, on the centre's time and not on this computer's.

import { count, lasting, say } from "./words.js";

const SOON_MS = 60_000;
const zone = document.documentElement.dataset.zone;
const wall = document.getElementById("wall");
const hands = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

let offset = Number(document.documentElement.dataset.now) - performance.now();
let heard = false;

export function now() {
  return performance.now() + offset;
}

// A beat brings the centre's time. Small differences are the network's; following them would make the seconds stumble.
export function hearTime(ms) {
  const difference = ms - now();
  if (!heard || Math.abs(difference) > 300) offset += difference;
  heard = true;
}

export function tick(root = document) {
  const at = now();
  for (const one of root.querySelectorAll("[data-up]")) put(one, count(at - one.dataset.up));
  for (const one of root.querySelectorAll("[data-lasting]")) put(one, lasting(at - one.dataset.lasting));
  for (const one of root.querySelectorAll("time[data-due]")) {
    if (!one.dataset.due) continue;
    const left = one.dataset.due - at;
    put(one, left >= 0 ? say("due_in", { d: lasting(left + 999) }) : say("due_past", { d: lasting(-left) }));
  }
  for (const one of root.querySelectorAll("[data-tone][data-due]")) {
    if (one.dataset.ringing === "1" || one.dataset.tone === "done" || !one.dataset.due) continue;
    const tone = one.dataset.due - at <= SOON_MS ? "soon" : "calm";
    if (one.dataset.tone !== tone) one.dataset.tone = tone;
  }
}

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function start() {
  const beat = () => {
    put(wall, hands.format(now()));
    tick();
    setTimeout(beat, 1000 - (now() % 1000) + 5);
  };
  beat();
}
