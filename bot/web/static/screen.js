// A lobby's screen: the next page is fetched, and where that fails the last one stays, with its hour.
// Without scripts the page turns by itself (meta refresh) as far as its server answers.
"use strict";
(() => {
  const DAY = 12 * 3600 * 1000;

  async function fetched(place) {
    const answer = await fetch(place, { cache: "no-store", signal: AbortSignal.timeout(15000) });
    if (!answer.ok) throw new Error(answer.status);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!page.body.dataset.next) throw new Error("another page"); // a network's own, in between
    await Promise.all([...page.images].map((image) => {
      const shown = new Image();
      shown.src = image.src;
      return shown.decode();
    }));
    return page;
  }

  const styles = (page) => [...page.querySelectorAll("link[rel=stylesheet], script[src]")]
    .map((one) => one.getAttribute("href") || one.getAttribute("src")).join();

  function stale() {
    const said = document.getElementById("as-of");
    const since = Date.now() - Date.parse(said.querySelector("time").dateTime);
    if (since > DAY) said.querySelector(".day").hidden = false;
    document.body.classList.add("stale");
    said.hidden = false;
  }

  async function turn() {
    const place = document.body.dataset.next;
    try {
      const page = await fetched(place);
      if (styles(page) !== styles(document)) { location.assign(place); return; } // a newer program
      document.body.replaceWith(page.body);
      document.title = page.title;
      history.replaceState(null, "", place);
    } catch {
      stale();
    }
    wait();
  }

  const wait = () => setTimeout(turn, document.body.dataset.seconds * 1000);
  document.addEventListener("DOMContentLoaded", wait);
})();
