// The figures, brought up to date beneath whoever reads them: only what differs is replaced, nothing moves.

import { fetchPage, SignedOut } from "./fragments.js";

const RELOAD_MS = 15_000;
const OLD_MS = 60_000;

const figures = document.getElementById("figures");
const old = document.getElementById("not-new");
let newAt = performance.now();

async function reload() {
  const page = await fetchPage(location.pathname + location.search);
  for (const part of document.querySelectorAll("[data-part]")) {
    const other = page.getElementById(part.id);
    if (!other || other.innerHTML === part.innerHTML) continue;
    const focused = part.contains(document.activeElement) && document.activeElement.getAttribute("href");
    part.replaceChildren(...other.childNodes);
    if (focused) [...part.querySelectorAll("a")].find((one) => one.getAttribute("href") === focused)?.focus();
  }
  newAt = performance.now();
}

async function beat() {
  // Whoever is marking a number to copy it keeps it.
  if (!document.hidden && getSelection().isCollapsed) {
    try {
      await reload();
    } catch (error) {
      if (error instanceof SignedOut) return;
    }
    old.hidden = performance.now() - newAt < OLD_MS;
  }
  setTimeout(beat, RELOAD_MS);
}

if ("reloads" in figures.dataset) setTimeout(beat, RELOAD_MS);
