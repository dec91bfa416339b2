// The edge: calls that ring while this page shows something else.

import { fetchPage, signature } from "./fragments.js";
import { tick } from "./clocks.js";

const edge = document.getElementById("edge");
const SHOWN = 4; // as console.css has it
let before = "";

// `without`: ids that the page itself shows.
export async function refresh(without) {
  const page = await fetchPage("/rows?form=edge");
  const chips = [...page.querySelectorAll(".chip")].filter((chip) => !without.has(chip.dataset.id));
  const after = chips.map(signature).join();
  if (after === before) return;
  before = after;
  const focused = document.activeElement?.closest?.(".chip")?.id;
  edge.replaceChildren(...chips);
  if (chips.length > SHOWN) {
    const more = document.createElement("a");
    more.className = "edge-more";
    more.href = "/";
    more.textContent = `+${chips.length - SHOWN}`;
    edge.append(more);
  }
  tick(edge);
  if (focused) document.getElementById(focused)?.focus();
}

export function clear() {
  before = "";
  edge.replaceChildren();
}
