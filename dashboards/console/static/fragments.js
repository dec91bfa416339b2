// Pieces of pages from the server, and putting them in place with nothing else moved.

// A connection that is half dead answers nothing for minutes; asking again is better than waiting for it.
const PATIENCE_MS = 8000;

export class SignedOut extends Error {}

export async function fetchPage(path) {
  const answer = await fetch(path, {
    headers: { Accept: "text/html" },
    cache: "no-store",
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  if (answer.redirected && new URL(answer.url).pathname === "/sign-in") {
    location.assign(`/sign-in?next=${encodeURIComponent(location.pathname)}`);
    throw new SignedOut();
  }
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

// What a piece says, without the clocks that count in it.
export function signature(element) {
  const copy = element.cloneNode(true);
  for (const one of copy.querySelectorAll("[data-up], [data-lasting], time[data-due]")) one.textContent = "";
  copy.removeAttribute("data-tone");
  return copy.outerHTML;
}

export function replaceAttributes(element, other) {
  for (const { name } of [...element.attributes]) if (!other.hasAttribute(name)) element.removeAttribute(name);
  for (const { name, value } of other.attributes) if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}
