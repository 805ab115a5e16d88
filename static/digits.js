// One open prediction after another by keyboard: a digit chooses a class, s leaves one out.
"use strict";

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
  if (event.target.closest("input, select, textarea")) return;
  const chosen = document.querySelector(`#open [data-key="${CSS.escape(event.key)}"]`);
  if (chosen && !chosen.disabled) {
    event.preventDefault();
    chosen.click();
  }
});
