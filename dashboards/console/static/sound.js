// The sound of a call. A browser lets a page sound only after somebody has touched it: until then the page says so.

// How loud, and after how long again, by how often the most urgent call has been raised: pressing again is heard.
const RINGS = [{ loud: 0.5, ms: 2000 }, { loud: 0.7, ms: 1500 }, { loud: 0.9, ms: 1200 }];
const SOFT_MS = 20_000;

const button = document.getElementById("sound");
const band = document.getElementById("sound-band");
const context = speaker();
const listeners = [];
let danger = 0;
let raised = 1;
let other = 0;
let lastRing = -Infinity;
let lastSoft = -Infinity;

// A computer without any sound still shows every call; the page says that it cannot be heard.
function speaker() {
  try {
    return new AudioContext();
  } catch {
    return Object.assign(new EventTarget(), { state: "none", resume: () => Promise.reject(new Error("no sound")) });
  }
}

export const isOn = () => context.state === "running";
export const whenChanged = (listener) => listeners.push(listener);

function show() {
  button.dataset.sound = isOn() ? "on" : "off";
  band.hidden = isOn();
  for (const listener of listeners) listener();
}

function tone(frequency, start, seconds, loud) {
  const oscillator = context.createOscillator();
  const gain = context.createGain();
  oscillator.type = "triangle";
  oscillator.frequency.value = frequency;
  const from = context.currentTime + start;
  gain.gain.setValueAtTime(0, from);
  gain.gain.linearRampToValueAtTime(loud, from + 0.015);
  gain.gain.setValueAtTime(loud, from + seconds - 0.03);
  gain.gain.linearRampToValueAtTime(0, from + seconds);
  oscillator.connect(gain).connect(context.destination);
  oscillator.start(from);
  oscillator.stop(from + seconds);
}

// Two rising pairs: heard over voices, and unlike a telephone.
function ring() {
  const { loud } = RINGS[raised - 1];
  for (const start of [0, 0.5]) {
    tone(740, start, 0.2, loud);
    tone(988, start + 0.2, 0.22, loud);
  }
}

function soft() {
  tone(523, 0, 0.25, 0.15);
}

// How many calls ring, and how often the one of them that was raised most was raised.
export function ringing(dangers, others, times) {
  const before = raised;
  raised = Math.min(Math.max(times, 1), RINGS.length);
  button.dataset.loud = raised;
  if (others > other) lastSoft = -Infinity;
  if (dangers > danger || raised > before) lastRing = -Infinity;
  danger = dangers;
  other = others;
  play();
}

function play() {
  if (!isOn()) return;
  const at = performance.now();
  if (danger > 0 && at - lastRing >= RINGS[raised - 1].ms - 50) {
    lastRing = at;
    ring();
  } else if (danger === 0 && other > 0 && at - lastSoft >= SOFT_MS) {
    lastSoft = at;
    soft();
  }
}

export function start() {
  context.addEventListener("statechange", show);
  const wake = () => isOn() || context.resume().catch(() => {});
  for (const kind of ["pointerdown", "pointerup", "keydown", "keyup"]) document.addEventListener(kind, wake, { capture: true });
  button.addEventListener("click", () => context.resume().then(ring, () => {}));
  band.addEventListener("click", wake);
  setInterval(play, 250);
  // The page before this one may have been touched: then we may sound at once.
  context.resume().catch(() => {});
  // Time for the browser to allow it, so that the band does not flash up at every page.
  setTimeout(show, 150);
}
