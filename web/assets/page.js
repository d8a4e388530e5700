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
// What takes a while says so.
for (const button of document.querySelectorAll("[data-says]")) {
  button.form.addEventListener("submit", (event) => {
    if (event.submitter === button) document.getElementById(button.dataset.saysIn).textContent = button.dataset.says;
  });
}
document.querySelector("[data-focus]")?.focus();
