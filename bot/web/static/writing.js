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
  const ours = (each) => each.name && !["file", "hidden", "submit"].includes(each.type) && each.tagName !== "BUTTON";
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
    data.set("version", form.elements.base.value);  // until it is saved it was written on the older one
    return data;
  }
  async function send(last) {
    dirty = false;
    try {
      const answer = await fetch(form.dataset.keep, { method: "POST", body: asSent(), headers: { accept: "application/json" }, keepalive: last, signal: AbortSignal.timeout(8000) });
      if (answer.ok && !answer.redirected) return taken((await answer.json()).at);
      dirty = true;
      const told = (answer.headers.get("content-type") || "").includes("json");
      if (told && answer.status < 500) return tell((await answer.json()).error.message, "", true);
      if (!told && answer.status < 500) {
        tell("expired", "", true);
        return again(await admitted() ? 0 : 15000);
      }
    } catch { dirty = true; }
    tell("here", clock(Date.now()), true);
    again(5000);
  }
  // The same person signed in again in another window: this page goes on with that session's token.
  async function admitted() {
    const page = new DOMParser().parseFromString(await (await fetch(location.href)).text(), "text/html");
    const other = page.getElementById("writing");
    if (!other || other.dataset.who !== form.dataset.who) return false;
    for (const each of document.querySelectorAll("[name=csrf]")) each.value = other.elements.csrf.value;
    return true;
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
    if (sent && !document.querySelector("main [data-focus]")) localStorage.removeItem(sent);
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

  // Where one writes, nothing is put anew under the hand: leaving the field brings what was passed over.
  const writes = (within) => { const here = document.activeElement; return within.contains(here) && here.matches("input[type=text]") ? here : null; };
  document.addEventListener("htmx:oobBeforeSwap", (e) => { if (writes(e.detail.target)) e.detail.shouldSwap = false; });
  let hand = null;
  document.addEventListener("htmx:beforeSwap", (e) => {
    const here = e.detail.target && writes(e.detail.target);
    hand = here && { id: here.id, at: [here.selectionStart, here.selectionEnd] };
  });
  document.addEventListener("htmx:afterSwap", () => {
    const here = hand && document.getElementById(hand.id);
    if (!here || document.activeElement === here) return;
    here.focus({ preventScroll: true });
    here.setSelectionRange(...hand.at);
  });

  // ---- a finding is mended in the text itself, so that it can be undone as if one had typed it
  function mend({ field, start, end, words, with: instead }) {
    const area = form.elements[field];
    const here = area.value.slice(start, end) === words ? +start : area.value.indexOf(words);
    if (here < 0) return;
    const folded = area.closest("details");
    if (folded) folded.open = true;
    area.focus();
    area.setSelectionRange(here, here + words.length);
    document.execCommand("insertText", false, instead);
  }
  document.addEventListener("click", (e) => {
    const button = e.target.closest(".fix, .fix-all");
    if (!button) return;
    e.preventDefault();
    const all = [...document.querySelectorAll(`.fix[data-rule="${button.value.split(":")[1]}"]`)];
    const chosen = button.matches(".fix") ? [button] : all;
    for (const each of chosen.sort((a, b) => b.dataset.start - a.dataset.start)) mend(each.dataset);
  });

  // ---- an account that is not chosen needs no text of its own
  function owned() {
    for (const each of form.querySelectorAll("[data-own]")) {
      const chosen = form.querySelector(`#keys [value="${CSS.escape(each.dataset.own)}"]`);
      each.hidden = !chosen.checked && !each.querySelector("textarea").value;
    }
  }
  form.addEventListener("change", owned);
  owned();

  // ---- pictures dropped anywhere on the form are taken in at once; those there are dragged into order
  const pictures = () => document.getElementById("pictures");
  const carries = (e) => !dragged && e.dataTransfer && [...e.dataTransfer.types].includes("Files");
  let dragged = null;

  form.addEventListener("dragstart", (e) => {
    const grip = e.target.closest(".grip");
    if (!grip) return;
    dragged = grip.closest(".pic");
    e.dataTransfer.effectAllowed = "move";
    e.dataTransfer.setDragImage(dragged, 0, 0);
  });
  form.addEventListener("dragover", (e) => {
    if (!carries(e) && !dragged) return;
    e.preventDefault();
    if (!dragged) return pictures().classList.add("over-pictures");
    const over = e.target.closest(".pic");
    if (!over || over === dragged) return;
    const { top, height } = over.getBoundingClientRect();
    if (e.clientY > top + height / 2) over.after(dragged); else over.before(dragged);
  });
  form.addEventListener("dragend", () => {
    if (!dragged) return;
    dragged = null;
    renew("preview");
  });
  form.addEventListener("dragleave", () => pictures().classList.remove("over-pictures"));
  form.addEventListener("drop", (e) => {
    if (dragged) return e.preventDefault();
    if (!carries(e)) return;
    e.preventDefault();
    pictures().classList.remove("over-pictures");
    const chosen = document.getElementById("picture");
    chosen.files = e.dataTransfer.files;
    chosen.dispatchEvent(new Event("change", { bubbles: true }));
  });
  // A chosen file goes up by its own request, not with the next preview.
  pictures().parentElement.addEventListener("change", (e) => { if (e.target.id === "picture") e.stopPropagation(); });

  function renew(act) {
    htmx.ajax("POST", form.action, { source: pictures(), target: "#pictures", swap: "outerHTML", select: "#pictures", selectOOB: "#preview,#mirror,#findings", values: { act } });
  }
  const ofPictures = (e) => e.detail.target && e.detail.target.id === "pictures";
  document.addEventListener("htmx:beforeSwap", (e) => {
    if (ofPictures(e) && e.detail.xhr.status === 422) { e.detail.shouldSwap = true; e.detail.isError = false; }
  });
  for (const event of ["htmx:responseError", "htmx:sendError"])
    document.addEventListener(event, (e) => {
      const failed = document.getElementById("picture-failed");
      if (ofPictures(e)) failed.textContent = failed.dataset.word;
    });
  document.addEventListener("htmx:afterSwap", (e) => {
    if (!ofPictures(e)) return;
    cutters();
    typed();
  });

  // ---- a piece of a picture is chosen by its frame; the numbers beside it are what is sent
  const SIDES = ["left", "top", "width", "height"];
  const RATIOS = { "1:1": 1, "4:3": 4 / 3, "16:9": 16 / 9 };
  const within = (value, least, most) => Math.min(Math.max(value, least), most);

  function cutter(panel) {
    const whole = { left: 0, top: 0, width: +panel.dataset.width, height: +panel.dataset.height };
    const frame = panel.querySelector(".cut");
    const numbers = Object.fromEntries(SIDES.map((side) => [side, panel.querySelector(`input[name^=${side}-]`)]));
    const aspects = [...panel.querySelectorAll("input[type=radio]")];
    const ratio = () => RATIOS[aspects.find((each) => each.checked).value];
    const box = () => Object.fromEntries(SIDES.map((side) => [side, +numbers[side].value || 0]));

    function draw() {
      for (const side of SIDES) frame.style[side] = `${100 * box()[side] / whole[side === "left" || side === "width" ? "width" : "height"]}%`;
    }
    function put(to) {
      for (const side of SIDES) numbers[side].value = Math.round(to[side]);
      draw();
    }
    function free() {
      const { width, height } = box();
      if (!ratio() || Math.abs(width - height * ratio()) > Math.max(1, ratio())) aspects.find((each) => each.value === "free").checked = true;
    }
    function told() { numbers.left.dispatchEvent(new Event("input", { bubbles: true })); }
    function middle(of) {
      const width = Math.min(whole.width, whole.height * of);
      const height = Math.min(whole.height, whole.width / of);
      put({ left: (whole.width - width) / 2, top: (whole.height - height) / 2, width, height });
    }
    function moved(from, dx, dy) {
      put({ ...from, left: within(from.left + dx, 0, whole.width - from.width), top: within(from.top + dy, 0, whole.height - from.height) });
    }
    function sized(from, corner, dx, dy) {
      const east = corner.includes("e"), south = corner.includes("s");
      const roomX = east ? whole.width - from.left : from.left + from.width;
      const roomY = south ? whole.height - from.top : from.top + from.height;
      let width = within(from.width + (east ? dx : -dx), 16, roomX);
      let height = within(from.height + (south ? dy : -dy), 16, roomY);
      if (ratio()) {
        width = Math.min(width, roomX, roomY * ratio());
        height = width / ratio();
      }
      put({ width, height, left: east ? from.left : from.left + from.width - width, top: south ? from.top : from.top + from.height - height });
    }
    const chosen = () => { if (aspects[0].checked) free(); };

    frame.addEventListener("pointerdown", (e) => {
      e.preventDefault();
      frame.focus();
      frame.setPointerCapture(e.pointerId);
      chosen();
      const corner = e.target.dataset.corner, from = box();
      const scale = whole.width / frame.parentElement.getBoundingClientRect().width;
      const move = (now) => {
        const by = [(now.clientX - e.clientX) * scale, (now.clientY - e.clientY) * scale];
        if (corner) sized(from, corner, ...by); else moved(from, ...by);
      };
      frame.addEventListener("pointermove", move);
      frame.addEventListener("lostpointercapture", () => { frame.removeEventListener("pointermove", move); told(); }, { once: true });
    });
    frame.addEventListener("keydown", (e) => {
      const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[e.key];
      if (!by) return;
      e.preventDefault();
      chosen();
      const step = Math.max(1, Math.round(whole.width / 50));
      if (e.shiftKey) sized(box(), "se", ratio() ? (by[0] + by[1]) * step : by[0] * step, by[1] * step);
      else moved(box(), by[0] * step, by[1] * step);
      told();
    });
    for (const each of aspects) each.addEventListener("change", () => {
      if (each.value === "whole") put(whole); else if (RATIOS[each.value]) middle(RATIOS[each.value]);
    });
    for (const side of SIDES) numbers[side].addEventListener("input", (e) => { if (e.isTrusted) free(); draw(); });
    frame.parentElement.hidden = false;
    draw();
  }
  function cutters() {
    for (const panel of document.querySelectorAll("[data-cutter]:not([data-ready])")) {
      panel.dataset.ready = "1";
      cutter(panel);
    }
    for (const grip of document.querySelectorAll(".grip")) grip.hidden = false;
  }
  cutters();

  offer();
  if (form.dataset.posted) typed();
})();
