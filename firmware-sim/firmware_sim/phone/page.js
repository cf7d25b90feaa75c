"use strict";

// The server sends each message, and each change of it, as a finished bubble.
const line = document.getElementById("line");

function phoneOf(number) {
  return document.querySelector(`.phone[data-number="${CSS.escape(number)}"]`);
}

function showLocalTime(bubble) {
  const time = bubble.querySelector("time");
  time.textContent = new Date(time.dateTime).toLocaleTimeString([], { timeStyle: "medium", hourCycle: "h23" });
}

function show({ phone, id, html }) {
  const list = phoneOf(phone)?.querySelector(".messages");
  if (!list) return;
  const frame = document.createElement("template");
  frame.innerHTML = html.trim();
  const bubble = frame.content.firstElementChild;
  showLocalTime(bubble);
  const old = document.getElementById(id);
  if (old) old.replaceWith(bubble);
  else list.append(bubble);
  list.scrollTop = list.scrollHeight;
}

async function post(section, path, body) {
  const problem = section.querySelector(".problem");
  const url = `/phones/${encodeURIComponent(section.dataset.number)}/${path}`;
  let text = "";
  try {
    const answer = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    if (!answer.ok) text = (await answer.json()).error;
  } catch {
    text = "The phone network does not answer.";
  }
  problem.textContent = text;
  problem.hidden = text === "";
  return text === "";
}

for (const section of document.querySelectorAll(".phone")) {
  section.querySelector(".reply").addEventListener("submit", async (event) => {
    event.preventDefault();
    const field = event.target.elements.message;
    if (await post(section, "reply", { message: field.value })) field.value = "";
    field.focus();
  });
  section.querySelector("[name=on]").addEventListener("change", (event) => {
    post(section, "behaviour", { on: event.target.checked });
  });
  section.querySelectorAll(".bubble").forEach(showLocalTime);
  const list = section.querySelector(".messages");
  list.scrollTop = list.scrollHeight;
}

const events = new EventSource("/events?as=page");
events.onopen = () => { line.textContent = "live"; };
events.onerror = () => { line.textContent = "lost contact, trying again…"; };
events.addEventListener("message", (event) => show(JSON.parse(event.data)));
