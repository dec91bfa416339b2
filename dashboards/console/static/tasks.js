// How many tasks wait, beside their name in the header.

const EVERY_MS = 60_000;
const badge = document.getElementById("tasks-count");

async function refresh() {
  const answer = await fetch("/tasks/count", { headers: { Accept: "application/json" }, cache: "no-store" });
  if (!answer.ok) return;
  const { tasks } = await answer.json();
  badge.textContent = tasks;
  badge.hidden = tasks === 0;
}

export function start() {
  if (!badge) return;
  const look = () => refresh().catch(() => {});
  look();
  setInterval(look, EVERY_MS);
}
