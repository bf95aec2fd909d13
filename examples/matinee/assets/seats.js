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
  const ends = new Map();
  let last = plan.dataset.after;

  // Shows a seat in a state, which ends after `left` milliseconds if it is a hold.
  const show = (seat, state, left) => {
    const input = inputs.get(seat);
    clearTimeout(ends.get(seat));
    if (!input || !looks[state]) return false;
    if (left) ends.set(seat, setTimeout(() => { show(seat, "free"); count(); }, left));
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
    const lost = Object.entries(seats).filter(([seat, { state, left }]) => show(seat, state, left));
    count();
    if (lost.length) {
      const names = lost.map(([seat]) => seat).join(", ");
      document.querySelector("#news").textContent = `Someone else was faster: ${names}.`;
    }
  };

  // The browser comes back by itself, with the id of the last event, unless it was refused.
  const connect = () => {
    const source = new EventSource(`${plan.dataset.live}?after=${encodeURIComponent(last)}`);
    source.addEventListener("seats", (event) => {
      last = event.lastEventId || last;
      change(JSON.parse(event.data));
    });
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) setTimeout(connect, 5000);
    });
  };

  for (const [seat, input] of inputs) {
    const left = Number(input.parentElement.dataset.left);
    if (left) ends.set(seat, setTimeout(() => { show(seat, "free"); count(); }, left));
  }
  connect();
})();
