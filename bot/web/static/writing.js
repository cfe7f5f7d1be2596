// 写稿 as one types: what is typed is kept, findings are walked with F8, pictures are dropped in.
"use strict";
(() => {
  const form = document.getElementById("writing");
  const text = document.getElementById("text");
  const mirror = () => document.getElementById("mirror");

  // ---- kept on the server a second after the last key; on this computer too until the server has it
  const prefix = `writing:${form.dataset.who}:${form.getAttribute("action")}#`;
  const place = prefix + form.elements.key.value;
  const bar = document.getElementById("kept-here");
  const said = document.getElementById("kept-at");
  const ours = (each) => each.name && each.type !== "file" && each.type !== "hidden" && each.tagName !== "BUTTON";
  const fields = () => [...form.elements].filter(ours);
  const now = () => fields().map((each) => [each.name, each.value, each.type === "checkbox" ? each.checked : null]);
  const clock = (at) => new Date(at).toLocaleTimeString("zh-CN", { hour12: false });
  let resting = 0;  // the timer of the next keeping
  let turn = 0;
  let dirty = false;  // typed since the server was last told
  let sending = null;  // the keeping under way
  let leaving = false;  // saved for good: nothing may be kept after it

  function tell(word, at, trouble) {
    said.setAttribute("role", trouble ? "status" : "none");
    said.className = trouble ? "c-attention" : "";
    said.textContent = (said.dataset[word] || word).replace("{at}", at);
  }
  function keepHere() {
    try { localStorage.setItem(place, JSON.stringify({ at: Date.now(), typed: now() })); } catch { /* full, or not allowed */ }
  }
  function asSent() {
    const data = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (typeof value === "string") data.append(name, value);
    data.append("turn", ++turn);
    return data;
  }
  async function send(last) {
    dirty = false;
    try {
      const answer = await fetch(form.dataset.keep, { method: "POST", body: asSent(), headers: { accept: "application/json" }, keepalive: last, signal: AbortSignal.timeout(8000) });
      if (answer.ok) return taken((await answer.json()).at);
      dirty = true;
      if (answer.status === 401 || answer.status === 403 || answer.redirected) return tell("expired", "", true);
      if (answer.status < 500) return tell((await answer.json()).error.message, "", true);
    } catch { dirty = true; }
    tell("here", clock(Date.now()), true);
    again(5000);
  }
  function taken(at) {
    if (!dirty) localStorage.removeItem(place);
    tell("kept", at, false);
    const { key } = form.elements;
    if (key.value && !location.search.includes(key.value)) history.replaceState(history.state, "", `/posts/new?draft=${key.value}`);
  }
  function again(wait) {
    clearTimeout(resting);
    resting = setTimeout(keep, wait);
  }
  async function keep() {
    if (sending || leaving || !dirty) return;
    sending = send(false);
    await sending;
    sending = null;
    if (dirty && navigator.onLine) again(5000);
  }
  function typed() {
    dirty = true;
    keepHere();
    again(1000);
  }
  function leave() {
    if (dirty && !leaving) send(true);
  }
  function kept() {
    const left = Object.keys(localStorage).filter((each) => each.startsWith(prefix)).map((each) => {
      try { return { place: each, ...JSON.parse(localStorage.getItem(each)) }; } catch { return null; }
    });
    return left.filter((each) => each && each.typed).sort((a, b) => b.at - a.at)[0];
  }
  function take(left) {
    for (const [name, value, checked] of left.typed) {
      const each = fields().find((one) => one.name === name && (checked === null || one.value === value));
      if (!each) continue;
      if (checked === null) each.value = value; else each.checked = checked;
    }
    localStorage.removeItem(left.place);
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
      if (e.target.value === "take") take(before);
      if (e.target.value !== "leave") return;
      localStorage.removeItem(before.place);
      bar.hidden = true;
    });
  }
  for (const event of ["input", "change"])
    document.addEventListener(event, (e) => { if (e.target.form === form || e.target === form) typed(); });
  form.addEventListener("submit", async (e) => {
    if (sending) {  // what is under way must not arrive after what is saved for good
      e.preventDefault();
      await Promise.race([sending, new Promise((done) => setTimeout(done, 3000))]);
      sending = null;
      return form.requestSubmit(e.submitter);
    }
    clearTimeout(resting);
    keepHere();
    leaving = true;
    if (!e.submitter || e.submitter.value !== "preview") sessionStorage.setItem("writing-sent", place);
  });
  addEventListener("pagehide", leave);
  addEventListener("pageshow", () => { leaving = false; });
  document.addEventListener("visibilitychange", () => { if (document.hidden) leave(); });
  addEventListener("online", keep);

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
  if (form.dataset.posted) typed();
})();
