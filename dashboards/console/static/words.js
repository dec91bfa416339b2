// What the scripts say, in the page's language, and durations as people read them.

const words = JSON.parse(document.documentElement.dataset.words);

export function say(key, values = {}) {
  return words[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

// 0:48 · 12:05 · 3:12:40
export function count(ms) {
  const whole = Math.max(0, Math.floor(ms / 1000));
  const pad = (n) => String(n).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}:${pad(whole % 60)}`;
  return `${Math.floor(minutes / 60)}:${pad(minutes % 60)}:${pad(whole % 60)}`;
}

// 48 s · 2 min 5 s · 3 h 12 min · 2 d 3 h, as times.py says it too.
export function lasting(ms) {
  const whole = Math.max(0, Math.floor(ms / 1000));
  const minutes = Math.floor(whole / 60);
  if (minutes < 1) return say("seconds", { s: whole });
  if (minutes < 60) return whole % 60 ? say("minutes", { m: minutes, s: whole % 60 }) : say("only_minutes", { m: minutes });
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return say("hours", { h: hours, m: minutes % 60 });
  return say("days", { d: Math.floor(hours / 24), h: hours % 24 });
}
