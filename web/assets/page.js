// Small comforts; every page works without this file.
"use strict";
for (const element of document.querySelectorAll(".needs-script")) element.hidden = false;
for (const button of document.querySelectorAll("[data-print]")) {
  button.addEventListener("click", () => window.print());
}
for (const button of document.querySelectorAll("[data-reveal]")) {
  button.addEventListener("click", () => {
    const field = document.getElementById(button.dataset.reveal);
    const shown = field.type === "text";
    field.type = shown ? "password" : "text";
    button.setAttribute("aria-pressed", String(!shown));
  });
}
document.querySelector("[data-focus]")?.focus();
