// 写稿 as one types: what is typed is kept on this computer, findings are walked with F8, pictures are dropped in.
"use strict";
(() => {
  const form = document.getElementById("writing");
  const text = document.getElementById("text");
  const mirror = () => document.getElementById("mirror");

  // ---- kept on this computer until it is saved: a crash, a closed page or a lost line costs nothing
  const place = `writing:${form.dataset.who}:${form.getAttribute("action")}`;
  const bar = document.getElementById("kept-here");
  const said = document.getElementById("kept-at");
  const ours = (each) => each.name && each.type !== "file" && each.type !== "hidden" && each.tagName !== "BUTTON";
  const fields = () => [...form.elements].filter(ours);
  const now = () => fields().map((each) => [each.name, each.value, each.type === "checkbox" ? each.checked : null]);
  const clock = (at) => new Date(at).toLocaleTimeString("zh-CN", { hour12: false });
  let resting = 0;

  function keep() {
    const at = Date.now();
    try { localStorage.setItem(place, JSON.stringify({ at, typed: now() })); } catch { return; }
    said.textContent = said.dataset.word.replace("{at}", clock(at));
  }
  function kept() {
    try { return JSON.parse(localStorage.getItem(place)); } catch { return null; }
  }
  function forget() {
    localStorage.removeItem(place);
    bar.hidden = true;
  }
  function take(typed) {
    for (const [name, value, checked] of typed) {
      const each = fields().find((one) => one.name === name && (checked === null || one.value === value));
      if (!each) continue;
      if (checked === null) each.value = value; else each.checked = checked;
    }
    bar.hidden = true;
    form.dispatchEvent(new Event("change", { bubbles: true }));
  }
  function offer() {
    const sent = sessionStorage.getItem("writing-sent");
    sessionStorage.removeItem("writing-sent");
    if (sent && !document.querySelector("main [role=alert]")) localStorage.removeItem(sent);
    const before = kept();
    const here = now();
    const changed = ([name, value, checked]) => here.some((one) => one[0] === name &&
      (checked === null ? one[1] !== value : one[1] === value && one[2] !== checked));
    if (!before || !before.typed.some(changed)) return;
    bar.querySelector("b").textContent = new Date(before.at).toLocaleString("zh-CN", { hour12: false });
    bar.hidden = false;
    bar.addEventListener("click", (e) => {
      if (e.target.value === "take") take(before.typed);
      if (e.target.value === "leave") forget();
    });
  }
  form.addEventListener("input", () => { clearTimeout(resting); resting = setTimeout(keep, 1000); });
  form.addEventListener("submit", (e) => {
    clearTimeout(resting);
    keep();
    if (!e.submitter || e.submitter.value !== "preview") sessionStorage.setItem("writing-sent", place);
  });
  addEventListener("pagehide", () => { if (resting && !sessionStorage.getItem("writing-sent")) keep(); });

  // ---- findings in the text: drawn anew by the server after a rest, never shown against other words
  function follow() { mirror().scrollTop = text.scrollTop; }
  text.addEventListener("input", () => { mirror().hidden = true; });
  text.addEventListener("scroll", follow);
  document.addEventListener("htmx:afterSettle", () => {
    mirror().hidden = text.value !== text.value.trimStart();
    follow();
  });

  function places() {
    let at = 0;
    return [...mirror().childNodes].flatMap((node) => {
      const words = node.nodeType === Node.TEXT_NODE ? node.data : node.firstChild.data;
      at += words.length;
      return node.nodeType === Node.TEXT_NODE ? [] : [[at - words.length, at]];
    });
  }
  document.addEventListener("keydown", (e) => {
    if (e.key !== "F8" || mirror().hidden) return;
    const all = places();
    const next = all.find(([begin]) => begin >= text.selectionEnd && text.selectionEnd > 0) || all[0];
    if (!next) return;
    e.preventDefault();
    text.focus();
    text.setSelectionRange(...next);
  });

  // ---- pictures dropped anywhere on the form are taken in at once; their words are asked for beside them
  const pictures = document.getElementById("pictures");
  const carries = (e) => e.dataTransfer && [...e.dataTransfer.types].includes("Files");
  form.addEventListener("dragover", (e) => {
    if (!carries(e)) return;
    e.preventDefault();
    pictures.classList.add("over-pictures");
  });
  form.addEventListener("dragleave", () => pictures.classList.remove("over-pictures"));
  form.addEventListener("drop", (e) => {
    if (!carries(e)) return;
    e.preventDefault();
    pictures.classList.remove("over-pictures");
    document.getElementById("picture").files = e.dataTransfer.files;
    form.requestSubmit(document.getElementById("look"));
  });

  offer();
})();
