// Files go to the server in pieces while somebody is still writing (tus 1.0, tus.io). What has come is kept there, so
// after a lost connection or a reload it goes on where it stopped. Without this file they come along with the form; and
// so they do where something on the way lets nothing else through.
"use strict";
(() => {
  const PIECE = 8 * 1024 * 1024;
  const SMALLEST_PIECE = 256 * 1024;
  const LONGEST_WAIT = 30_000;
  const form = document.getElementById("reply-form");
  const box = document.getElementById("upload");
  const list = document.getElementById("uploads");
  const news = document.getElementById("upload-news");
  const hold = document.getElementById("upload-hold");
  const pickers = [document.getElementById("files"), document.getElementById("photo")];
  const words = box.dataset;
  const queue = [];
  let current = null; // The one that is being sent.
  let choosing = 0; // Files that are being looked at.
  let pressed = null; // The button that waits for the files.
  let piece = PIECE; // Bytes of one request.
  // How files get through: by "PATCH", by "POST" in its place, or with the "form".
  let way = sessionStorage.getItem("zegel-way") ?? "PATCH";
  let along = []; // Files that go with the form,
  const carrier = Object.assign(document.createElement("input"), { type: "file", name: "file", multiple: true, hidden: true });

  document.getElementById("pick").classList.add("scripted"); // The browser's own words give way to ours.

  carrier.setAttribute("form", form.id);
  document.body.append(carrier);

  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  const say = (text) => { news.textContent = text; };
  const used = () => document.dispatchEvent(new Event("zegel-used"));
  const pause = (time) => new Promise((resolve) => setTimeout(resolve, time));

  function size(octets) {
    const units = ["B", "kB", "MB", "GB"];
    let unit = 0;
    for (; octets >= 1000 && unit < 3; unit++) octets /= 1000;
    const digits = unit ? 1 : 0;
    const format = { minimumFractionDigits: digits, maximumFractionDigits: digits };
    octets = Math.floor(octets * 10) / 10; // Cut off as the server does.
    return `${octets.toLocaleString(document.documentElement.lang, format)} ${units[unit]}`;
  }

  // Without what nobody sees, or what turns the direction of writing.
  const plain = (name) => name.replace(/[\p{Cc}\p{Cf}]/gu, "");

  // Rows: those that the server wrote, and those of files that were just chosen.

  function row(name, octets) {
    const item = document.createElement("li");
    const label = document.createElement("span");
    label.className = "file-name";
    const shown = document.createElement("bdi");
    shown.textContent = plain(name);
    const measure = document.createElement("span");
    measure.className = "file-size";
    measure.textContent = size(octets);
    label.append(shown, " ", measure, " ", state());
    const actions = document.createElement("span");
    actions.className = "file-actions";
    const button = document.createElement("button");
    button.type = "button";
    button.name = "remove";
    button.className = "button button-quiet";
    const more = document.createElement("span");
    more.className = "for-readers";
    more.textContent = ` ${plain(name)}`;
    button.append(words.remove, more);
    actions.append(button);
    item.append(label, actions);
    item.dataset.name = plain(name);
    item.dataset.length = octets;
    list.append(item);
    return item;
  }

  function state() {
    const element = document.createElement("span");
    element.className = "file-state";
    return element;
  }

  function show(entry, text, isError = false) {
    const element = entry.row.querySelector(".file-state");
    element.textContent = text;
    element.classList.toggle("field-error", isError);
  }

  function bar(entry) {
    let element = entry.row.querySelector("progress");
    if (!element) {
      element = document.createElement("progress");
      element.max = 100;
      element.setAttribute("aria-label", entry.row.dataset.name);
      entry.row.querySelector(".file-name").append(element);
    }
    return element;
  }

  function complain(text) {
    let element = box.querySelector(".upload-errors");
    if (!element) {
      element = document.createElement("div");
      element.className = "upload-errors";
      element.setAttribute("role", "alert");
      list.before(element);
    }
    const line = document.createElement("p");
    line.className = "field-error";
    line.textContent = text;
    element.append(line);
  }

  // Choosing.

  function unfinished(file) {
    const known = JSON.parse(sessionStorage.getItem("zegel-uploads") ?? "{}");
    return [...list.children].find((item) => {
      const { id, name, length, offset } = item.dataset;
      const mark = known[id];
      const same = mark ? mark === `${file.name}/${file.lastModified}` : name === file.name;
      return id && offset !== length && Number(length) === file.size && same && !item.dataset.busy;
    });
  }

  function remember(id, file) {
    const known = JSON.parse(sessionStorage.getItem("zegel-uploads") ?? "{}");
    known[id] = `${file.name}/${file.lastModified}`;
    sessionStorage.setItem("zegel-uploads", JSON.stringify(known));
  }

  // A folder can be dropped, and a file that nobody may read can be chosen: neither becomes an upload.
  const isReadable = (file) => file.slice(0, 1).arrayBuffer().then(() => true, () => false);

  async function add(files) {
    box.querySelector(".upload-errors")?.remove();
    choosing++;
    for (const file of files) {
      const isGood = await isReadable(file);
      const found = unfinished(file);
      const total = [...list.children].reduce((sum, item) => sum + Number(item.dataset.length ?? 0), 0);
      if (!isGood) complain(fill(words.unreadable, { name: plain(file.name) }));
      else if (file.size === 0) complain(fill(words.empty, { name: plain(file.name) }));
      else if (!found && list.children.length >= Number(words.maxFiles)) { complain(words.tooMany); break; }
      else if (!found && total + file.size > Number(words.maxSize)) complain(fill(words.tooLarge, { name: plain(file.name) }));
      else {
        const entry = { file, row: found ?? row(file.name, file.size), url: null };
        if (found) entry.url = `${words.target}/${found.dataset.id}`;
        entry.row.dataset.busy = "yes";
        queue.push(entry);
        show(entry, words.waiting);
      }
    }
    choosing--;
    next();
  }

  // Sending.

  async function next() {
    if (current) return;
    current = queue.shift() ?? null;
    if (!current) return choosing ? undefined : finished();
    try {
      if (way === "form") throw withForm();
      await upload(current);
    } catch (error) {
      if (current.removed) {
        // It is gone already.
      } else if (error.isLost) {
        await drop(current.row.dataset.id);
        current.row.remove();
        complain(fill(words.changed, { name: current.row.dataset.name }));
      } else if (error.isForForm) {
        await take(current);
      } else {
        show(current, error.message, true);
        say(`${current.row.dataset.name}: ${error.message}`);
        current.failed = true;
        current.row.querySelector("progress")?.remove();
      }
    }
    delete current.row.dataset.busy;
    current = null;
    next();
  }

  function finished() {
    const button = pressed;
    pressed = null;
    hold.hidden = true;
    const failed = list.querySelector(".file-state.field-error");
    if (button && failed) failed.closest("li").querySelector("button").focus();
    else if (button) form.requestSubmit(button);
  }

  async function upload(entry) {
    const { file } = entry;
    let offset = 0;
    let wait = 1000;
    let isSure = entry.url === null; // Whether the offset is known.
    let stuck = 0; // Times in a row that the server could be asked and had nothing new.
    entry.start = null;
    while (!entry.removed) {
      try {
        if (!entry.url) await create(entry);
        if (!isSure) {
          const former = offset;
          offset = await ask(entry);
          isSure = true;
          stuck = offset > former ? 0 : stuck + 1;
          if (stuck > 3) throw withForm();
        }
        if (offset >= file.size) break;
        offset = await send(entry, offset);
        used();
        wait = 1000;
        stuck = 0;
      } catch (error) {
        if (entry.removed || error.isFinal) throw error;
        if (error.isBlocked && way === "POST") throw withForm();
        isSure = false;
        if (way === "PATCH") {
          go("POST"); // Harmless where it was only the connection.
          if (error.isBlocked) continue;
        }
        show(entry, words.retry);
        await pause(wait);
        wait = Math.min(wait * 2, LONGEST_WAIT);
      }
    }
    if (entry.removed) return;
    entry.row.dataset.offset = file.size;
    entry.row.querySelector("progress")?.remove();
    show(entry, entry.renamed ? `${words.done} ${words.renamed}` : words.done);
    say(fill(words.arrived, { name: entry.row.dataset.name }));
  }

  // An error after which trying again is of no use.
  function final(text) {
    return Object.assign(new Error(text), { isFinal: true });
  }

  // An error after which the file goes with the form.
  function withForm() {
    return Object.assign(final(words.refused), { isForForm: true });
  }

  function go(next) {
    way = next;
    sessionStorage.setItem("zegel-way", way);
  }

  // What does not speak tus is not our server: something on the way has refused, for its own reasons.
  const isOurs = (response) => response.headers.get("Tus-Resumable") !== null;

  // 4xx is about the request and stays so; everything else may pass.
  async function judge(response) {
    if (!isOurs(response)) {
      if (response.status === 413 && piece > SMALLEST_PIECE) piece /= 2;
      else if (response.status >= 400 && response.status < 500 && ![408, 425, 429].includes(response.status) || response.status === 501) {
        throw Object.assign(new Error(String(response.status)), { isBlocked: true });
      }
      throw new Error(String(response.status));
    }
    const isText = response.headers.get("Content-Type")?.startsWith("text/plain");
    const text = isText ? await response.text() : ""; // The answer to HEAD has none either.
    if (response.status >= 400 && response.status < 500 && ![408, 409, 423, 429].includes(response.status)) {
      throw final(text || words.refused);
    }
    if (response.status === 507) throw final(text || words.refused);
    // The scanner cannot be asked: the file waits there, and is scanned when the form goes on.
    if (response.status === 503 && isText) throw final(text || words.unscanned);
    throw new Error(String(response.status));
  }

  const version = { "Tus-Resumable": "1.0.0" };

  async function create(entry) {
    const { name, type, size: length } = entry.file;
    const encode = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));
    const metadata = `filename ${encode(name)},filetype ${encode(type)}`;
    const headers = { ...version, "Upload-Length": length, "Upload-Metadata": metadata };
    const response = await fetch(words.target, { method: "POST", headers });
    if (response.status !== 201) {
      await judge(response).catch((error) => { throw error.isBlocked ? withForm() : error; });
    }
    entry.url = response.headers.get("Location");
    entry.row.dataset.id = entry.url.split("/").pop();
    rename(entry, response.headers.get("Upload-Metadata"));
    remember(entry.row.dataset.id, entry.file);
    if (entry.removed) await drop(entry.row.dataset.id);
  }

  // The server's name for it is the one that arrives.
  function rename(entry, metadata) {
    const encoded = metadata?.match(/filename ([^,]*)/)?.[1] ?? "";
    const name = new TextDecoder().decode(Uint8Array.from(atob(encoded), (octet) => octet.charCodeAt(0)));
    entry.renamed = name !== entry.file.name;
    entry.row.dataset.name = name;
    entry.row.querySelector("bdi").textContent = name;
  }

  async function ask(entry) {
    const response = await fetch(entry.url, { method: "HEAD", headers: version });
    if (!response.ok) await judge(response).catch((error) => { throw error.isBlocked ? withForm() : error; });
    return Number(response.headers.get("Upload-Offset"));
  }

  // One piece; XMLHttpRequest, because fetch does not tell how far it is.
  async function send(entry, offset) {
    const blob = entry.file.slice(offset, offset + piece);
    if (!(await isReadable(blob))) throw Object.assign(final(words.changed), { isLost: true });
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      entry.request = request;
      request.open(way, entry.url);
      if (way === "POST") request.setRequestHeader("X-HTTP-Method-Override", "PATCH");
      request.setRequestHeader("Tus-Resumable", "1.0.0");
      request.setRequestHeader("Upload-Offset", offset);
      request.setRequestHeader("Content-Type", "application/offset+octet-stream");
      request.upload.addEventListener("progress", (event) => progress(entry, offset + event.loaded));
      request.upload.addEventListener("load", () => {
        if (words.scanning && offset + blob.size >= entry.file.size) show(entry, words.scanning);
      });
      request.addEventListener("error", () => reject(new Error("network")));
      request.addEventListener("abort", () => reject(new Error("abort")));
      request.addEventListener("load", () => {
        const field = (name) => request.getResponseHeader(name);
        if (request.status === 204) return resolve(Number(field("Upload-Offset")));
        const headers = { "Content-Type": field("Content-Type") ?? "" };
        if (field("Tus-Resumable")) headers["Tus-Resumable"] = field("Tus-Resumable");
        judge(new Response(request.responseText, { status: request.status, headers })).catch(reject);
      });
      request.send(blob);
    });
  }

  function progress(entry, octets) {
    const percent = Math.min(100, Math.floor((octets / entry.file.size) * 100));
    const now = performance.now();
    entry.start ??= { now, octets };
    const speed = (octets - entry.start.octets) / (now - entry.start.now); // Octets per millisecond.
    let text = fill(words.percent, { percent, size: size(entry.file.size) });
    if (speed > 0 && now - entry.start.now > 1000) {
      const minutes = (entry.file.size - octets) / speed / 60_000;
      text += ` – ${minutes < 1 ? words.seconds : fill(words.minutes, { minutes: Math.ceil(minutes) })}`;
    }
    bar(entry).value = percent;
    show(entry, text);
    // A screen reader hears every quarter, not every piece.
    const quarter = Math.floor(percent / 25);
    if (quarter !== (entry.quarter ?? 0) && quarter < 4) say(fill(words.progress, { name: entry.row.dataset.name, percent }));
    entry.quarter = quarter;
  }

  // Going along with the form.

  async function take(entry) {
    go("form");
    if (entry.row.dataset.id) await drop(entry.row.dataset.id);
    delete entry.row.dataset.id;
    entry.row.querySelector("progress")?.remove();
    if (entry.removed) return;
    along.push(entry);
    carry();
    show(entry, words.along);
  }

  function carry() {
    const files = new DataTransfer();
    for (const entry of along) files.items.add(entry.file);
    carrier.files = files.files;
  }

  // Removing.

  // Tells whether it is gone. By a form where nothing else gets through.
  async function drop(id) {
    if (!id) return true;
    const url = `${words.target}/${id}`;
    for (const [method, more] of [["DELETE", {}], ["POST", { "X-HTTP-Method-Override": "DELETE" }]]) {
      const response = await fetch(url, { method, headers: { ...version, ...more } }).catch(() => null);
      if (response && isOurs(response)) return response.ok || response.status === 404;
    }
    const body = new FormData();
    body.append("remove", id);
    const response = await fetch(form.action, { method: "POST", body, redirect: "manual" }).catch(() => null);
    return response?.type === "opaqueredirect";
  }

  async function remove(item) {
    const waiting = queue.findIndex((entry) => entry.row === item);
    const entry = waiting >= 0 ? queue.splice(waiting, 1)[0] : current?.row === item ? current : null;
    if (entry) {
      entry.removed = true;
      entry.request?.abort();
    }
    const name = item.dataset.name;
    if (!(await drop(item.dataset.id))) {
      show({ row: item }, fill(words.notRemoved, { name }), true);
      return say(fill(words.notRemoved, { name }));
    }
    along = along.filter((other) => other.row !== item);
    carry();
    const beside = item.nextElementSibling ?? item.previousElementSibling;
    item.remove();
    (beside?.querySelector("button") ?? pickers[0]).focus();
    say(fill(words.removed, { name }));
  }

  list.addEventListener("click", (event) => {
    const button = event.target.closest("button[name=remove]");
    if (!button) return;
    event.preventDefault();
    remove(button.closest("li"));
  });

  for (const picker of pickers) {
    picker.addEventListener("change", () => {
      add([...picker.files]);
      picker.value = ""; // So the form does not bring them a second time.
    });
  }

  for (const type of ["dragenter", "dragover"]) {
    box.addEventListener(type, (event) => { event.preventDefault(); box.classList.add("dropping"); });
  }
  for (const type of ["dragleave", "drop"]) {
    box.addEventListener(type, () => box.classList.remove("dropping"));
  }
  box.addEventListener("drop", (event) => {
    event.preventDefault();
    const files = [];
    const folders = [];
    for (const item of event.dataTransfer.items) {
      const entry = item.kind === "file" ? item.webkitGetAsEntry?.() : null;
      const file = item.kind === "file" ? item.getAsFile() : null;
      if (entry?.isDirectory) folders.push(entry.name);
      else if (file) files.push(file);
    }
    add(files);
    for (const name of folders) complain(fill(words.folder, { name: plain(name) }));
  });

  // Going on waits for the files; leaving asks first.
  form.addEventListener("submit", (event) => {
    if (event.submitter?.name !== "next" || !(current || queue.length || choosing)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    pressed = event.submitter;
    hold.hidden = false;
    say(words.hold);
  });
  window.addEventListener("beforeunload", (event) => {
    if (current) event.preventDefault();
  });
})();
