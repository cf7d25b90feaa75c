// Keeps a page live. Without it every page still works; one then reloads by hand.

const root = document.documentElement;
const main = document.getElementById("main");
const title = document.title;
let ahead = Number(root.dataset.now) - Date.now(); // the centre's clock counts, not this machine's

// ---- ages

const [S, MIN, H, D] = root.dataset.units.split(" ");

function span(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return `${s} ${S}`;
  if (s < 3600) return `${Math.floor(s / 60)} ${MIN}`;
  if (s < 86400) return `${Math.floor(s / 3600)} ${H} ${Math.floor((s % 3600) / 60)} ${MIN}`;
  return `${Math.floor(s / 86400)} ${D} ${Math.floor(s / 3600) % 24} ${H}`;
}

function tick() {
  const now = Date.now() + ahead;
  for (const element of document.querySelectorAll("[data-age]")) {
    const text = root.dataset.ago.replace("{age}", span(now - element.dataset.age));
    if (element.textContent !== text) element.textContent = text;
  }
}

// ---- changing parts of the page without losing the reader's place

function drawn(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content.firstElementChild;
}

// What somebody has begun to fill in goes over into the new part.
function carry(from, to) {
  for (const open of from.querySelectorAll("details[open]")) {
    const twin = to.querySelector(`#${open.id}`);
    if (!twin) continue;
    twin.open = true;
    twin.dataset.carried = ""; // opened by us, not by the reader
  }
  for (const field of from.querySelectorAll("input:not([type=hidden]), textarea, select")) {
    const twin = field.id && to.querySelector(`#${field.id}`);
    if (!twin) continue;
    if (field.type === "radio" || field.type === "checkbox") twin.checked = field.checked;
    else twin.value = field.value;
  }
  // Whoever is closing an incident has seen as many reports as there were when the form was opened.
  const seen = from.querySelector("details[open] input[name=presses]");
  const twin = seen && to.querySelector("input[name=presses]");
  if (twin) twin.value = seen.value;
}

function redraw({ regions, parts }, first) {
  const focused = document.activeElement;
  const caret = focused?.selectionStart;
  const anchor = [...document.querySelectorAll("[data-mark]")].find((part) => part.getBoundingClientRect().bottom > 60);
  const before = anchor?.getBoundingClientRect().top;
  const news = [];
  for (const [region, ids] of Object.entries(regions)) {
    const box = document.getElementById(region);
    for (const gone of [...box.children].filter((child) => !ids.includes(child.id))) gone.remove();
    ids.forEach((id, place) => {
      let part = document.getElementById(id);
      const fresh = id in parts ? drawn(parts[id]) : null;
      if (fresh && (!part || part.dataset.mark !== fresh.dataset.mark)) {
        if (fresh.dataset.alert && !part?.dataset.alert) news.push(fresh.dataset.alert);
        if (part) carry(part, fresh);
        else if (!first) fresh.classList.add("arrived-now");
        part?.replaceWith(fresh);
        part = fresh;
      }
      if (box.children[place] !== part) box.insertBefore(part, box.children[place] ?? null);
    });
  }
  if (focused && focused !== document.body && document.activeElement !== focused) {
    const twin = (focused.id && document.getElementById(focused.id)) || main;
    twin.focus({ preventScroll: true });
    if (caret != null && twin.setSelectionRange && twin.type !== "radio") twin.setSelectionRange(caret, caret);
  }
  const still = anchor && document.getElementById(anchor.id);
  if (still && window.scrollY > 0) window.scrollBy(0, still.getBoundingClientRect().top - before);
  tick();
  count();
  if (news.length) tell(news);
}

function count() {
  const alerts = document.querySelectorAll("[data-alert]").length;
  document.title = alerts ? `(${alerts}) ${title}` : title;
}

// ---- new alarms: said aloud by a screen reader, and by a sound for those who want it

function tell(news) {
  const box = document.getElementById("announce");
  box.textContent = "";
  setTimeout(() => { box.textContent = news.join(" "); }, 50);
  chime();
}

const sound = document.getElementById("sound");
let audio = null;

function chime() {
  if (audio?.state !== "running" || sound.getAttribute("aria-pressed") !== "true") return;
  [0, 0.25, 0.5].forEach((delay, index) => {
    const tone = new OscillatorNode(audio, { frequency: [660, 880, 660][index] });
    const gain = new GainNode(audio, { gain: 0 });
    const at = audio.currentTime + delay;
    gain.gain.linearRampToValueAtTime(0.25, at + 0.02);
    gain.gain.linearRampToValueAtTime(0, at + 0.22);
    tone.connect(gain).connect(audio.destination);
    tone.start(at);
    tone.stop(at + 0.24);
  });
}

function showSound(on) {
  sound.setAttribute("aria-pressed", String(on));
  sound.textContent = on ? sound.dataset.on : sound.dataset.off;
}

if (sound) {
  sound.hidden = false;
  showSound(false);
  sound.addEventListener("click", async () => {
    const on = sound.getAttribute("aria-pressed") !== "true";
    audio ??= new AudioContext();
    if (on) await audio.resume();
    showSound(on && audio.state === "running");
    if (on) chime();
  });
}

// ---- the live connection

const SILENT_MS = 25000; // two and a half signs of life
const AGAIN_MS = 3000;
const ANSWER_MS = 5000; // on a line that went dead an answer may never come
const live = document.getElementById("live");
const lost = document.getElementById("lost");
let source = null;
let watchdog = 0;

function heard(now) {
  ahead = Number(now) - Date.now();
  live.hidden = false;
  if (lost.textContent) lost.textContent = "";
  clearTimeout(watchdog);
  watchdog = setTimeout(down, SILENT_MS);
}

function connect() {
  let first = true;
  source = new EventSource(main.dataset.live);
  source.addEventListener("update", (event) => {
    const update = JSON.parse(event.data);
    heard(update.now);
    redraw(update, first);
    first = false;
  });
  source.addEventListener("over", signedOut);
  source.addEventListener("error", down);
  clearTimeout(watchdog);
  watchdog = setTimeout(down, SILENT_MS);
}

async function down() {
  source.close();
  clearTimeout(watchdog);
  live.hidden = true;
  if (!lost.textContent) lost.textContent = lost.dataset.text;
  // A session that has ended looks like a broken line; this tells them apart.
  const late = new Promise((resolve) => { setTimeout(resolve, ANSWER_MS); });
  const session = await Promise.race([fetch("/api/session").catch(() => null), late]);
  if (session?.status === 401) signedOut();
  else setTimeout(connect, AGAIN_MS * (0.7 + 0.6 * Math.random()));
}

function signedOut() {
  source.close();
  clearTimeout(watchdog);
  live.hidden = true;
  const link = document.createElement("a");
  link.href = `/login?next=${encodeURIComponent(location.pathname + location.search)}`;
  link.textContent = lost.dataset.login;
  lost.replaceChildren(`${lost.dataset.over} `, link);
}

// ---- begin

// The second tap of a nervous thumb must not be a second request.
document.addEventListener("submit", (event) => {
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "1";
});
window.addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
});
document.addEventListener("toggle", (event) => {
  const { open, dataset } = event.target;
  if (open && !("carried" in dataset)) event.target.querySelector("input[type=radio]")?.focus();
  delete dataset.carried;
}, true);
document.querySelector(".chip[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
tick();
count();
setInterval(tick, 1000);
if (main.dataset.live) {
  connect();
  window.addEventListener("pagehide", () => { source.close(); clearTimeout(watchdog); });
  window.addEventListener("pageshow", (event) => { if (event.persisted) connect(); });
}
