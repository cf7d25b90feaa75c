// Switches push on and off in this browser. Which phone it is on, the code that is texted there proves.

const form = document.getElementById("push");
const problem = document.getElementById("problem");
const possible = "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;

function complain(what) {
  problem.textContent = problem.dataset[what];
  problem.hidden = false;
  delete form.dataset.sent;
}

async function subscribed() {
  const registration = await navigator.serviceWorker.getRegistration("/");
  return (await registration?.pushManager.getSubscription()) ?? null;
}

async function subscribe() {
  await navigator.serviceWorker.register("/sw.js");
  const { pushManager } = await navigator.serviceWorker.ready;
  // One that is there may have ended at its push service, or belong to another key.
  await (await pushManager.getSubscription())?.unsubscribe();
  return pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: form.dataset.key });
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  problem.hidden = true;
  if ((await Notification.requestPermission()) !== "granted") return complain("denied");
  try {
    const { endpoint, keys } = (await subscribe()).toJSON();
    form.elements.endpoint.value = endpoint;
    form.elements.p256dh.value = keys.p256dh;
    form.elements.auth.value = keys.auth;
  } catch {
    return complain("failed");
  }
  form.submit();
});

async function mark() {
  const subscription = await subscribed();
  if (!subscription) return;
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(subscription.endpoint));
  const hex = [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const row = document.querySelector(`[data-endpoint="${hex}"]`);
  if (!row) return;
  row.querySelector(".this").hidden = false;
  row.querySelector(".off").addEventListener("submit", () => { subscription.unsubscribe(); });
}

if (possible) {
  form.hidden = false;
  mark();
} else {
  complain("impossible");
}
