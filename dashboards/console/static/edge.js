// The edge: calls that ring while this page shows something else.

import { fetchPage, signature } from "./fragments.js";
import { tick } from "./clocks.js";

const edge = document.getElementById("edge");
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
  tick(edge);
  if (focused) document.getElementById(focused)?.focus();
}

export function clear() {
  before = "";
  edge.replaceChildren();
}
