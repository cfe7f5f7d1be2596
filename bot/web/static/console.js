// What scripts add to pages that work without them: keys, focus, the choice of no keys.
"use strict";
(() => {
  const off = () => localStorage.getItem("keys") === "off";
  const typing = (e) => e.isComposing || e.target.closest("input, textarea, select, [contenteditable]");
  let going = 0;

  function go(key) {
    const link = document.querySelector(`.rail a[data-go="${CSS.escape(key)}"]`);
    if (link) link.click();
  }

  function step(by) {
    const rows = [...document.querySelectorAll("[data-row]")];
    if (!rows.length) return;
    const at = rows.findIndex((row) => row.contains(document.activeElement));
    const next = rows[Math.min(Math.max(at + by, 0), rows.length - 1)];
    const target = next.matches("a, button") ? next : next.querySelector("a, button, input");
    if (target) target.focus();
  }

  // A key only moves to the button it names; Enter presses it.
  function reach(key) {
    const button = document.querySelector(`[data-key="${CSS.escape(key)}"]`);
    if (button) button.focus();
  }

  // Ctrl+Enter hands in what one writes; no form that signs has such a button.
  document.addEventListener("keydown", (e) => {
    if (e.key !== "Enter" || !(e.ctrlKey || e.metaKey) || e.isComposing) return;
    const button = e.target.form && e.target.form.querySelector("[data-enter]");
    if (button) button.click();
  });

  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || typing(e) || off()) return;
    const key = e.key.toLowerCase();
    if (e.shiftKey && key === "s") location.assign("/stop#reason");
    else if (e.shiftKey) return;
    else if (key === "/") { const find = [...document.querySelectorAll(".find input, main [type=search]")].find((one) => one.offsetParent); if (find) { find.focus(); e.preventDefault(); } }
    else if (Date.now() - going < 1500) { going = 0; go(key); }
    else if (key === "g") going = Date.now();
    else if (key === "j") step(1);
    else if (key === "k") step(-1);
    else if (key === "m" && document.activeElement.dataset.post) location.assign(`/calendar/move/${document.activeElement.dataset.post}`);
    else if (key === "n") { const link = document.querySelector("[data-new]"); if (link) link.click(); }
    else reach(key);
  });

  // Words still being put together are nobody's words yet: nothing is asked of the server until they stand.
  document.addEventListener("input", (e) => { if (e.isComposing) e.stopImmediatePropagation(); }, true);
  document.addEventListener("compositionend", (e) => e.target.dispatchEvent(new Event("input", { bubbles: true })));

  // Who signs out leaves nothing of what he wrote on this computer.
  document.addEventListener("submit", (e) => {
    if (e.target.getAttribute("action") !== "/logout") return;
    for (const key of Object.keys(localStorage)) if (key.startsWith("writing:")) localStorage.removeItem(key);
  });

  // Handed in, what was typed need not be kept on this computer any longer.
  function handedIn() {
    const sent = sessionStorage.getItem("writing-sent");
    if (!sent || new URLSearchParams(location.search).get("done") !== "submit") return;
    sessionStorage.removeItem("writing-sent");
    localStorage.removeItem(sent);
  }

  function ready() {
    handedIn();
    const wanted = document.querySelector("[data-focus]");
    if (wanted) wanted.focus();
    const keys = document.getElementById("keys-off");
    if (keys) {
      keys.checked = off();
      keys.addEventListener("change", () => localStorage.setItem("keys", keys.checked ? "off" : "on"));
    }
    for (const all of document.querySelectorAll("[data-all]")) {
      all.hidden = false;
      all.addEventListener("change", () => {
        for (const one of document.querySelectorAll(`input[name="${all.dataset.all}"]`)) one.checked = all.checked;
      });
    }
  }

  // A post dragged to another day or hour: what that means stands there before it is let go.
  const form = () => document.getElementById("move");
  let dragged = null;

  function wanted(cell) {
    const own = dragged.dataset.at;
    return `${cell.dataset.day}T${cell.dataset.hour ? `${cell.dataset.hour}:${own.slice(14)}` : own.slice(11)}`;
  }

  function meaning(at) {
    const { of, begins, ends } = dragged.dataset;
    if (of) return of;
    return (!begins || at >= begins) && (!ends || at < ends) ? "free" : "again";
  }

  function tell(cell) {
    const note = document.getElementById("move-note");
    for (const one of document.querySelectorAll("td.drop")) one.classList.remove("drop", "again", "past");
    note.hidden = !cell;
    if (!cell) return;
    const at = wanted(cell);
    const means = "over" in cell.dataset ? "past" : meaning(at);
    cell.classList.add("drop", ...(means === "past" ? ["past"] : means === "again" || means === "in_review" ? ["again"] : []));
    note.textContent = `${at.replace("T", " ")} · ${form().dataset[means]}`;
  }

  document.addEventListener("dragstart", (e) => {
    dragged = e.target.closest && form() ? e.target.closest("[draggable][data-post]") : null;
    if (!dragged) return;
    e.dataTransfer.effectAllowed = "move";
    dragged.classList.add("dragged");
    for (const cell of document.querySelectorAll("td[data-day]:not([data-over])"))
      if (["free", "draft"].includes(meaning(wanted(cell)))) cell.classList.add("may-drop");
  });
  document.addEventListener("dragover", (e) => {
    if (!dragged) return;
    const cell = e.target.closest("td[data-day]");
    if (cell && !("over" in cell.dataset)) e.preventDefault();
    tell(cell);
  });
  document.addEventListener("drop", (e) => {
    const cell = dragged && e.target.closest("td[data-day]");
    if (!cell || wanted(cell) === dragged.dataset.at) return;
    e.preventDefault();
    form().action = `/calendar/move/${dragged.dataset.post}`;
    for (const [name, value] of Object.entries({ at: wanted(cell), version: dragged.dataset.version, seen: dragged.dataset.seen }))
      form().elements[name].value = value;
    form().submit();
  });
  document.addEventListener("dragend", () => {
    if (!dragged) return;
    tell(null);
    dragged.classList.remove("dragged");
    for (const cell of document.querySelectorAll(".may-drop")) cell.classList.remove("may-drop");
    dragged = null;
  });

  // The stop button says how many it stops, whatever scope is chosen.
  function stopWord() {
    const word = document.getElementById("stop-word");
    const scope = document.querySelector("input[name=scope]:checked");
    if (!word || !scope) return;
    const select = scope.closest(".option").querySelector("select");
    const stops = select ? select.selectedOptions[0].dataset.stops : scope.dataset.stops;
    word.textContent = word.dataset.word.replace("{n}", stops);
  }
  document.addEventListener("change", (e) => {
    const option = e.target.closest(".option");
    if (!option) return;
    if (e.target.matches("select")) option.querySelector("[type=radio]").checked = true;
    stopWord();
  });
  document.addEventListener("DOMContentLoaded", () => { ready(); stopWord(); });
})();
