// What is typed on the second screen of an answer is kept on the server while somebody is still writing, which keeps the
// visit alive as well. Where it cannot be kept it stays on the page, and that is said. Without this file the form brings it.
"use strict";
(() => {
  const form = document.getElementById("reply-form");
  const RETRY = 10_000;
  const TYPING = 3000;
  const MOST_AT_THE_END = 20_000; // A page that is left may send 64 KiB.
  const alarm = document.getElementById("keep-news");
  const compare = document.getElementById("keep-compare");
  const fields = [...form.querySelectorAll("textarea[name]")];
  const typed = () => fields.map((field) => field.value).join("\0");
  // Two texts that somebody chooses from are left alone until then; what the server has refused has still to be kept.
  const isChoosing = form.dataset.unsaved === "conflict";
  let kept = form.dataset.unsaved ? null : typed();
  let saving = Promise.resolve();
  let timer = 0;
  let isRefused = false;
  let goesOn = false; // The form may be sent.

  function tell(text, hasChoice = false) {
    isRefused = Boolean(text);
    compare.hidden = !hasChoice;
    const line = alarm.querySelector("p");
    if (line.textContent !== text) line.textContent = text; // Said once, not at every try.
    alarm.hidden = !text;
  }

  // Whether the server answers for the text from now on, or at least shows it when the form is sent.
  async function store(keepalive = false) {
    const now = typed();
    if (isChoosing) return true;
    if (now === kept && !isRefused) return true;
    const body = new FormData();
    body.append("version", form.elements.version.value);
    for (const field of fields) body.append(field.name, field.value);
    body.append("keep", "1");
    const request = { method: "POST", body, redirect: "manual", keepalive };
    const response = await fetch(form.action, request).catch(() => null);
    if (response?.status === 204) {
      kept = now;
      tell("");
      document.dispatchEvent(new Event("zegel-used"));
      return true;
    }
    // A 403 that is not in words of ours is somebody's on the way: its page must not take the place of the text either.
    const isOurs = response?.headers.get("Content-Type")?.startsWith("text/plain");
    const isForeign = response?.status === 403 && !isOurs;
    const isPassing = response?.status >= 500 && response.status !== 507 || response?.status === 429;
    if (!response || isPassing || isForeign) {
      clearTimeout(timer);
      timer = setTimeout(keep, RETRY);
      tell(navigator.onLine && response ? alarm.dataset.trouble : alarm.dataset.offline);
      return false;
    }
    if (response.status === 409) tell(alarm.dataset.conflict, true);
    else if (response.status === 403) tell(await response.text());
    return true;
  }

  // One after the other, or the older one might come last.
  function keep() {
    saving = saving.then(() => store());
    return saving;
  }

  form.addEventListener("input", (event) => {
    if (!fields.includes(event.target)) return;
    clearTimeout(timer);
    timer = setTimeout(keep, TYPING);
  });
  window.addEventListener("offline", () => tell(alarm.dataset.offline));
  window.addEventListener("online", keep);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") store(typed().length < MOST_AT_THE_END);
  });

  // Going on waits for the text to be kept: a page that cannot be reached must not take the place of what was typed.
  form.addEventListener("submit", async (event) => {
    if (goesOn) return;
    event.preventDefault();
    const button = event.submitter;
    clearTimeout(timer);
    if (!navigator.onLine) return tell(alarm.dataset.offline);
    if (!(await keep())) return;
    // Not from within the event: a form that is being sent is not sent (HTML 4.10.21.3).
    setTimeout(() => {
      goesOn = true;
      form.requestSubmit(button);
    });
  });
  window.addEventListener("pageshow", () => { goesOn = false; });
  window.addEventListener("beforeunload", (event) => {
    if ((isRefused || isChoosing) && !goesOn && typed() !== kept) event.preventDefault();
  });
})();
