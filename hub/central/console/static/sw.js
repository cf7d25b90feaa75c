// Shows a message and says so. It keeps nothing and answers no request: every page comes from the centre.

const AGAIN_MS = [1000, 3000, 9000];

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("push", (event) => event.waitUntil(show(event.data.json())));

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const { page, receipt } = event.notification.data;
  event.waitUntil(Promise.all([self.clients.openWindow(page), tell("read", receipt)]));
});

async function show({ text, page, tag, receipt }) {
  const colon = text.indexOf(": ");
  const [title, body] = colon < 0 ? [text, ""] : [text.slice(0, colon), text.slice(colon + 2)];
  await self.registration.showNotification(title, {
    body,
    tag, // a newer message about the same replaces this one, and rings again
    renotify: true,
    requireInteraction: true,
    vibrate: [400, 200, 400, 200, 400],
    icon: "/static/icon.svg",
    data: { page, receipt },
  });
  await tell("received", receipt); // only what was shown was received
}

// An answer of 4xx is final; without one, or while the centre is busy, it is told again.
async function tell(what, receipt) {
  for (const wait of [...AGAIN_MS, 0]) {
    const answer = await fetch(`/push/${what}`, { method: "POST", body: new URLSearchParams(receipt) }).catch(() => null);
    if (answer && answer.status < 500) return;
    if (wait) await new Promise((resolve) => { setTimeout(resolve, wait); });
  }
}
