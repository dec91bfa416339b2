// What changes, as it happens; and the truth about whether we would hear it.

import * as clocks from "./clocks.js";
import { lasting, say } from "./words.js";

const STALE_MS = 3000;
const RETRY_MS = 2000;

const banner = document.getElementById("stale");
const since = document.getElementById("stale-since");
const mark = document.getElementById("live");

let source = null;
let heardAt = performance.now();
let openedAt = 0;
let refresh = async () => {};
let asked = async () => {};
let running = null;
let again = false;

// Fetch what the page shows. One at a time: what changes meanwhile is fetched right after.
export function look() {
  again = true;
  running ??= (async () => {
    try {
      while (again) {
        again = false;
        await refresh();
      }
      return true;
    } catch {
      return false; // not live: the beat, or its absence, says the rest
    } finally {
      running = null;
    }
  })();
  return running;
}

function connect() {
  source?.close();
  openedAt = performance.now();
  source = new EventSource("/live");
  source.addEventListener("reset", () => { heard(); look(); });
  source.addEventListener("change", () => { heard(); look(); });
  source.addEventListener("asking", () => { heard(); asked().catch(() => {}); });
  source.addEventListener("beat", (event) => {
    const [time, ...deaf] = event.data.split(" ");
    clocks.hearTime(Number(time));
    for (const one of document.querySelectorAll("[data-deaf]")) {
      // Who does not hear presses does not hear anything that matters: that is said, and not the less.
      one.hidden = one.dataset.deaf !== (deaf.includes("alarm") ? "alarm" : deaf[0]);
    }
    heard();
  });
}

async function heard() {
  const blind = mark.dataset.live !== "yes";
  heardAt = performance.now();
  // Only when everything has been looked at again is the page what it says.
  if (blind && (await look()) && performance.now() - heardAt < STALE_MS) show(false);
}

function show(stale) {
  banner.hidden = !stale;
  mark.dataset.live = stale ? "no" : "yes";
}

function watch() {
  if (document.hidden) return;
  const silent = performance.now() - heardAt;
  if (silent > STALE_MS) {
    since.textContent = say("not_live", { d: lasting(silent) });
    show(true);
    // A connection may be dead without our being told; and one that was refused is not tried again by itself.
    // Looking as well finds out whether we are still signed in.
    if (performance.now() - openedAt > RETRY_MS) {
      connect();
      look();
    }
  }
}

export function start(fetchAll, fetchAsked, keepWhenHidden) {
  refresh = fetchAll;
  asked = fetchAsked;
  connect();
  setInterval(watch, 250);
  document.addEventListener("visibilitychange", () => {
    // A browser opens six connections to one place: forgotten pages must not take them from the board.
    if (document.hidden && !keepWhenHidden) {
      source?.close();
      source = null;
    } else if (!document.hidden && (!source || performance.now() - heardAt > STALE_MS)) {
      heardAt = Math.max(heardAt, performance.now() - STALE_MS + 1500);
      connect();
    }
  });
}
