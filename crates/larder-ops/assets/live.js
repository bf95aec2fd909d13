// Keeps the panels up to date while the page is looked at. Without it the page works by reload.
"use strict";
const main = document.querySelector("main[data-live]");
const state = document.getElementById("live");
let stream = null;

const say = (text, isLive) => {
  state.textContent = text;
  state.classList.toggle("on", isLive);
};

// What somebody types in, has unfolded, or has just reached, stays as it is.
const isInUse = (panel) =>
  panel.contains(document.activeElement) || panel.querySelector("form.wide, details[open]") !== null;

const update = (event) => {
  const fresh = new DOMParser().parseFromString(event.data, "text/html");
  const panels = [...fresh.querySelectorAll("section.panel")];
  for (const old of main.querySelectorAll("section.panel")) {
    if (!panels.some((panel) => panel.id === old.id) && !isInUse(old)) old.remove();
  }
  let before = main.querySelector(".head");
  for (const panel of panels) {
    const old = document.getElementById(panel.id);
    if (old && isInUse(old)) {
      before = old;
      continue;
    }
    if (old) old.replaceWith(panel);
    else before.after(panel);
    before = panel;
  }
  say("live", true);
};

const open = () => {
  if (stream || document.hidden) return;
  stream = new EventSource(main.dataset.live);
  stream.addEventListener("panels", update);
  stream.onopen = () => say("live", true);
  stream.onerror = () => say(stream.readyState === EventSource.CLOSED ? "reload to update" : "reconnecting", false);
};

const close = () => {
  if (stream) stream.close();
  stream = null;
  say("paused", false);
};

if (main && state && "EventSource" in window) {
  open();
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
}
