// Who is being asked whether they are all right: beside the board, without a sound.

import { fetchPage, replaceAttributes } from "./fragments.js";

const section = document.getElementById("asking");

export async function refresh() {
  if (!section) return;
  const from = (await fetchPage("/asking")).getElementById("asking");
  if (from.outerHTML === section.outerHTML) return;
  replaceAttributes(section, from);
  section.innerHTML = from.innerHTML;
}
