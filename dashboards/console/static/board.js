// The board: rows come, change and go by themselves, and nothing jumps while a hand is moving.

import { tick } from "./clocks.js";
import * as edge from "./edge.js";
import { fetchPage, replaceAttributes, signature } from "./fragments.js";
import { post } from "./presence.js";

const STILL_MS = 1500;
const board = document.getElementById("board");
const empty = document.getElementById("empty");
const signatures = new Map();
let movedAt = -Infinity;
let waiting = null;

const moving = () => performance.now() - movedAt < STILL_MS;
const rowsOf = (root) => [...root.querySelectorAll(".row")];

export async function refresh() {
  const page = await fetchPage("/rows?form=board");
  waiting = rowsOf(page);
  const unseen = page.getElementById("unseen");
  replaceAttributes(document.getElementById("unseen"), unseen);
  document.getElementById("unseen").innerHTML = unseen.innerHTML;
  await settle();
}

// Put what the server said in place; while a hand moves, only what moves nothing.
async function settle() {
  if (!waiting) return;
  const here = new Map(rowsOf(board).map((row) => [row.dataset.id, row]));
  const fresh = waiting.filter((row) => !here.has(row.dataset.id));
  const there = new Set(waiting.map((row) => row.dataset.id));
  for (const row of waiting) update(here.get(row.dataset.id), row);
  for (const [id, row] of here) if (!there.has(id)) row.dataset.gone = "";
  if (moving() && here.size > 0) {
    if (fresh.length) await edge.refresh(new Set(here.keys()));
  } else {
    arrange(here);
    edge.clear();
    waiting = null;
  }
  empty.hidden = board.children.length > 0;
  tick(board);
}

function update(row, from) {
  if (!row) return;
  const after = signature(from);
  if (signatures.get(row.dataset.id) === after) return;
  signatures.set(row.dataset.id, after);
  const focused = row.contains(document.activeElement);
  replaceAttributes(row, from);
  row.innerHTML = from.innerHTML;
  if (focused) row.querySelector("a").focus({ preventScroll: true });
}

function arrange(here) {
  const focused = document.activeElement?.closest?.(".row")?.id;
  const wanted = waiting.map((row) => {
    const known = here.get(row.dataset.id);
    if (known) return known;
    signatures.set(row.dataset.id, signature(row));
    return document.adoptNode(row);
  });
  const order = (rows) => rows.map((row) => row.dataset.id).join();
  if (order(wanted) !== order(rowsOf(board))) {
    board.replaceChildren(...wanted);
    if (focused) document.getElementById(focused)?.querySelector("a").focus({ preventScroll: true });
  }
}

export function start(changed) {
  for (const kind of ["pointermove", "pointerdown", "wheel", "touchmove"]) {
    document.addEventListener(kind, () => { movedAt = performance.now(); }, { passive: true });
  }
  setInterval(() => { if (waiting && !moving()) settle().then(changed); }, 200);
}

async function answer(row) {
  const path = `/incidents/${row.dataset.id}`;
  const response = await post(`${path}/answer`, {});
  const { said } = response.ok ? await response.json() : { said: "" };
  location.assign(said ? `${path}?said=${encodeURIComponent(said)}` : path);
}

// A answers what has rung longest and opens it; arrows choose. True: the key was ours.
export function key(code) {
  if (code === "KeyA") {
    const first = board.querySelector('.row[data-ringing="1"]');
    if (first) answer(first).catch(() => {});
    return Boolean(first);
  }
  if (code === "ArrowDown" || code === "ArrowUp") {
    const links = [...board.querySelectorAll(".row-link")];
    if (!links.length) return false;
    const at = links.indexOf(document.activeElement);
    const step = code === "ArrowDown" ? 1 : -1;
    links[at < 0 ? 0 : (at + step + links.length) % links.length].focus();
    return true;
  }
  return false;
}
