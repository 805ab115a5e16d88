// Every page works without this; it moves the focus, spares requests, and shows times in the reader's zone.
"use strict";

const zone = new Intl.DateTimeFormat(document.documentElement.dataset.region, { dateStyle: "medium", timeStyle: "short" });

function localTimes(root) {
  for (const element of root.querySelectorAll("time[data-at]")) {
    const moment = new Date(Number(element.dataset.at) * 1000);
    element.dateTime = moment.toISOString();
    if (element.title) element.title = zone.format(moment);
    else element.textContent = zone.format(moment);
  }
}

// After an answer the reader goes on where it begins; after a refusal, at the first refused field.
function focusOn(root) {
  const target = root.querySelector("[aria-invalid=true], [data-focus]");
  if (target) {
    target.focus({ preventScroll: true });
    target.scrollIntoView({ block: "nearest" });
  }
}

document.addEventListener("DOMContentLoaded", () => {
  localTimes(document);
  // On a phone the navigation is wider than the screen.
  const here = document.querySelector("header nav [aria-current]");
  if (here) here.closest("ul").scrollLeft = here.offsetLeft - 24;
  const refused = document.querySelector("main [aria-invalid=true]");
  if (refused && !document.body.dataset.page.startsWith("/patterns")) focusOn(document.querySelector("main"));
});

document.addEventListener("htmx:afterSwap", (event) => {
  localTimes(event.detail.elt);
  const asked = event.detail.requestConfig;
  if (asked && asked.verb === "post") focusOn(event.detail.elt);
});

// A region that asks again and again keeps no refusal but the last.
document.addEventListener("htmx:beforeOnLoad", (event) => {
  for (const refusal of event.detail.target.querySelectorAll(":scope > [role=alert]")) refusal.remove();
});

// A page that nobody sees asks for nothing.
document.addEventListener("htmx:beforeRequest", (event) => {
  const trigger = event.detail.elt.getAttribute("hx-trigger") || "";
  if (document.hidden && trigger.startsWith("every")) event.preventDefault();
});
