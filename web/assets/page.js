// Small comforts; every page works without this file.
"use strict";
for (const element of document.querySelectorAll(".needs-script")) element.hidden = false;
for (const element of document.querySelectorAll(".without-script")) element.hidden = true;
for (const button of document.querySelectorAll("[data-print]")) {
  button.addEventListener("click", () => window.print());
}
for (const button of document.querySelectorAll("[data-reveal]")) {
  button.addEventListener("click", () => {
    const field = document.getElementById(button.dataset.reveal);
    const shown = field.type === "text";
    field.type = shown ? "password" : "text";
    button.setAttribute("aria-pressed", String(!shown));
    // What can be read needs no second entry.
    const again = document.getElementById(button.dataset.revealAlso ?? "");
    if (again) {
      again.hidden = !shown;
      again.querySelector("input[type=hidden]").disabled = shown;
    }
  });
}
// What was copied does not stay for whoever pastes next. Browsers allow that only while somebody is at the page.
const copied = { timer: 0, isOver: false };
function clearClipboard() {
  if (copied.isOver) navigator.clipboard.writeText("").then(() => { copied.isOver = false; }, () => {});
}
for (const sign of ["focus", "pointerdown", "keydown"]) window.addEventListener(sign, clearClipboard);
for (const button of document.querySelectorAll("[data-copy]")) {
  const label = button.textContent;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = button.dataset.copied;
    setTimeout(() => { button.textContent = label; }, 3000);
    copied.isOver = false;
    clearTimeout(copied.timer);
    copied.timer = setTimeout(() => { copied.isOver = true; clearClipboard(); }, 5 * 60_000);
  });
}
for (const choice of document.querySelectorAll("[data-opens]")) {
  const target = document.getElementById(choice.dataset.opens);
  const follow = () => { target.hidden = !choice.checked; };
  for (const other of choice.form.elements[choice.name]) other.addEventListener("change", follow);
  follow();
}
for (const field of document.querySelectorAll("[data-strength]")) {
  const words = document.getElementById(field.dataset.strengthIn);
  const meter = words.parentElement.querySelector("meter");
  let timer = 0;
  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      const body = new URLSearchParams({ password: field.value });
      const answer = await fetch(field.dataset.strength, { method: "POST", body }).catch(() => null);
      if (!answer?.ok) return;
      const { score, text } = await answer.json();
      meter.value = score;
      words.textContent = text;
    }, 400);
  });
}
// A page that cannot be reached must not take the place of what was typed; the second screen of an answer sees to it itself.
for (const form of document.querySelectorAll("form[data-reach]")) {
  let goesOn = false;
  form.addEventListener("submit", async (event) => {
    if (goesOn) {
      goesOn = false;
      return;
    }
    event.preventDefault();
    event.stopImmediatePropagation();
    const button = event.submitter;
    const answer = await fetch(form.dataset.reach, { method: "POST", redirect: "manual" }).catch(() => null);
    const alarm = document.getElementById(form.dataset.alarm);
    alarm.textContent = answer ? "" : alarm.dataset.offline;
    // Not from within the event: a form that is being sent is not sent (HTML 4.10.21.3).
    if (answer) setTimeout(() => { goesOn = true; form.requestSubmit(button); });
  });
}
// What takes a while says so.
for (const button of document.querySelectorAll("[data-says]")) {
  button.form.addEventListener("submit", (event) => {
    if (event.submitter === button) document.getElementById(button.dataset.saysIn).textContent = button.dataset.says;
  });
}
// Half an hour without use ends the visit. It is said some minutes before, and whoever is there says so.
const ending = document.getElementById("visit-end");
if (ending) {
  const IDLE = Number(ending.dataset.idle) * 1000;
  const NOTICE = 4 * 60_000; // The server counts from the minute, so the last one may be missing.
  const THANKS = 10_000;
  const words = ending.querySelector("p");
  const stay = ending.querySelector("button");
  const windows = "BroadcastChannel" in window ? new BroadcastChannel(ending.dataset.stay) : null;
  let used = Date.now();
  let thanked = 0;
  let shown = "";
  let before = null; // What had the focus.
  const show = (what) => {
    if (what === shown) return;
    if (what === "soon") before = document.activeElement;
    shown = what;
    ending.hidden = !what;
    stay.hidden = what !== "soon" && what !== "lost";
    words.textContent = what ? ending.dataset[what] : "";
  };
  const look = () => {
    const silent = Date.now() - used;
    if (silent > IDLE) show("over");
    else if (silent > IDLE - NOTICE) { if (shown !== "lost") show("soon"); }
    else show(Date.now() - thanked < THANKS ? "stayed" : "");
  };
  const use = () => {
    used = Date.now();
    look();
  };
  windows?.addEventListener("message", use);
  windows?.postMessage("used");
  document.addEventListener("zegel-used", () => {
    use();
    windows?.postMessage("used");
  });
  document.addEventListener("visibilitychange", look);
  setInterval(look, 1000);
  stay.addEventListener("click", async () => {
    const answer = await fetch(ending.dataset.stay, { method: "POST", redirect: "manual" }).catch(() => null);
    if (!answer) return show("lost");
    if (answer.status !== 204) return show("over");
    thanked = Date.now();
    document.dispatchEvent(new Event("zegel-used"));
    before?.focus();
  });
}
document.querySelector("[data-focus]")?.focus();
