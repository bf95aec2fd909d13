// Keeps the seats of an open page up to date, by server-sent events. Without it, the page shows the seats
// as they were when it was loaded.
"use strict";

(() => {
  const plan = document.querySelector(".plan[data-live]");
  if (!plan) return;
  const looks = {
    free: ["seat free", "free"],
    held: ["seat held", "held by somebody"],
    booked: ["seat booked", "taken"],
    yours: ["seat mine", "held for you"],
    ticket: ["seat mine ticketed", "booked by you"],
  };
  const mayChoose = plan.hasAttribute("data-may-choose");
  const inputs = new Map();
  for (const input of plan.querySelectorAll(".seat input")) inputs.set(input.id.slice("seat-".length), input);
  let last = plan.dataset.after;
  let source, waiting;
  let refusals = 0;

  // Shows a seat in a state. Only the app knows whether a seat is free when its hold ends, and says so.
  const show = (seat, state) => {
    const input = inputs.get(seat);
    if (!input || !looks[state]) return false;
    const [look, words] = looks[state];
    const place = input.parentElement;
    if (place.className === look) return false;
    const wasChosen = place.className === looks.free[0] && input.checked;
    place.className = look;
    place.querySelector(".unseen").textContent = `${seat}, ${words}`;
    input.name = "seat";
    input.value = seat;
    input.disabled = state !== "free" || !mayChoose;
    input.checked = state === "yours" || state === "ticket";
    return wasChosen && (state === "held" || state === "booked");
  };

  const count = () => {
    const free = plan.querySelectorAll(".seat.free").length;
    document.querySelector("#free").textContent = free === 1 ? "1 seat is" : `${free} seats are`;
    document.querySelector("#seen-at").textContent = new Date().toISOString().slice(11, 19);
  };

  const change = ({ all, seats }) => {
    if (all) for (const seat of inputs.keys()) if (!(seat in seats)) show(seat, "free");
    const lost = Object.entries(seats).filter(([seat, state]) => show(seat, state));
    count();
    if (lost.length) {
      const names = lost.map(([seat]) => seat).join(", ");
      document.querySelector("#news").textContent = `Someone else was faster: ${names}.`;
    }
  };

  const leave = () => {
    clearTimeout(waiting);
    waiting = undefined;
    source?.close();
    source = undefined;
  };

  // The browser comes back by itself, with the id of the last event. If it was refused, the page asks again, after
  // longer and longer pauses.
  const connect = () => {
    leave();
    source = new EventSource(`${plan.dataset.live}?after=${encodeURIComponent(last)}`);
    source.addEventListener("open", () => { refusals = 0; });
    source.addEventListener("seats", (event) => {
      last = event.lastEventId || last;
      change(JSON.parse(event.data));
    });
    source.addEventListener("error", () => {
      if (source?.readyState !== EventSource.CLOSED) return;
      source = undefined;
      wait(Math.min(5000 * 2 ** refusals++, 300000) * (0.5 + Math.random() / 2));
    });
  };

  // Connects after a pause. A hidden page waits until it is seen.
  const wait = (pause) => {
    if (!document.hidden) waiting = setTimeout(connect, pause);
  };

  // Browsers open few connections at once to one host, and a hidden page needs none.
  document.addEventListener("visibilitychange", () => document.hidden ? leave() : connect());

  if (!document.hidden) connect();
})();
