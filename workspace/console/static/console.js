// Keeps the page fresh. Without this script the page says the same, at the moment it was loaded.
"use strict";

const EVERY_MS = 4000;
const toggle = document.getElementById("refresh");
const freshness = document.getElementById("freshness");
let on = true;

function isInUse(section) {
  const chosen = document.getSelection();
  return section.contains(document.activeElement) || (!chosen.isCollapsed && section.contains(chosen.anchorNode));
}

// What the reader has opened or scrolled to stays so.
function replace(section, fresh) {
  const open = [...section.querySelectorAll("details[open]")].map((one) => one.dataset.keep);
  const scrolled = [...section.querySelectorAll(".scroll")].map((one) => one.scrollLeft);
  for (const one of fresh.querySelectorAll("details")) one.open = open.includes(one.dataset.keep);
  section.replaceChildren(...fresh.childNodes);
  section.querySelectorAll(".scroll").forEach((one, place) => { one.scrollLeft = scrolled[place] || 0; });
}

async function refresh() {
  if (!on || document.hidden) return;
  try {
    const address = location.href.split(/[?#]/)[0];
    const answer = await fetch(address, { credentials: "same-origin", cache: "no-store" });
    if (answer.redirected) return location.reload();
    if (!answer.ok) throw new Error(answer.status);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const section of document.querySelectorAll("[data-live]")) {
      const other = fresh.getElementById(section.id);
      if (other && !isInUse(section) && other.innerHTML !== section.innerHTML) replace(section, other);
    }
    freshness.textContent = "";
  } catch {
    freshness.textContent = "The workspace does not answer.";
  }
}

toggle.hidden = false;
document.getElementById("reload").hidden = true;
toggle.addEventListener("click", () => {
  on = !on;
  toggle.setAttribute("aria-pressed", String(on));
  refresh();
});
setInterval(refresh, EVERY_MS);
