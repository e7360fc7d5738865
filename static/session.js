/* cmvig: a page left alone is covered, and its person goes on where they were. What was typed stays in the page and nowhere else:
   nothing is kept in the browser's storage, and between tabs go only the facts "acted", "locked" and "signed in". */
(() => {
  "use strict";
  const template = document.getElementById("locked");
  if (!template) return;
  const { who, lock: lockUrl, stay: stayUrl, idleS, warnS } = template.dataset;
  const ending = document.getElementById("ending");
  const tabs = "BroadcastChannel" in window ? new BroadcastChannel("cmvig") : null;
  const tell = (message) => tabs?.postMessage({ who, ...message });
  let cover = null; // the dialog, while it is open
  let waiting = null; // the form or button whose request came back because nobody was signed in

  const token = () => document.querySelector("input[name='csrfmiddlewaretoken']")?.value || "";
  const take = (fresh) => { // a sign-in changes the token of every form in every tab
    document.querySelectorAll("input[name='csrfmiddlewaretoken']").forEach((input) => { input.value = fresh; });
    document.body.setAttribute("hx-headers", JSON.stringify({ "X-CSRFToken": fresh }));
  };
  const post = (url, body) => fetch(url, {
    method: "POST", body, redirect: "error", headers: { Accept: "application/json", "X-CSRFToken": token() },
  });

  // Idle time: by elapsed time, and by the clock as well, which goes on while a computer sleeps.
  let elapsed = performance.now();
  let clock = Date.now();
  const idle = () => Math.max(performance.now() - elapsed, Date.now() - clock) / 1000;
  const acted = () => { elapsed = performance.now(); clock = Date.now(); ending.hidden = true; };
  const look = () => {
    if (cover) return;
    if (idle() >= Number(idleS)) cover_page("Nothing was done for 15 minutes.");
    else ending.hidden = idle() < Number(warnS);
  };

  const cover_page = (why) => {
    if (cover) return;
    ending.hidden = true;
    cover = template.content.firstElementChild.cloneNode(true);
    cover.querySelector("[data-why]").textContent = `${why} What you typed is still on the page behind this.`;
    cover.addEventListener("close", open); // a browser closes a dialog at the second Escape or back gesture, whoever objects
    cover.querySelector("form").addEventListener("submit", go_on);
    document.body.append(cover);
    open();
  };
  const open = () => {
    if (!cover) return;
    cover.showModal();
    cover.querySelector("input[type='password']").focus();
  };
  document.addEventListener("keydown", (event) => { // no key works on the covered page
    if (!cover) return;
    event.stopPropagation();
    if (event.key === "Escape") event.preventDefault();
  }, true);
  const uncover = () => {
    if (!cover) return;
    cover.remove();
    cover = null;
    acted();
    const again = waiting;
    waiting = null;
    if (again?.isConnected) { if (again.matches("form")) again.requestSubmit(); else again.click(); }
  };
  const say = (sentence, field) => {
    const place = cover.querySelector("[data-sentence]");
    place.textContent = sentence;
    place.hidden = false;
    cover.querySelector(field).focus();
  };
  const go_on = async (event) => {
    event.preventDefault();
    event.stopPropagation();
    const form = event.target;
    try {
      const answer = await post(form.action, new FormData(form));
      const said = await answer.json();
      if (answer.ok) {
        take(said.csrf);
        tell({ csrf: said.csrf });
        uncover();
        return;
      }
      const asks = said.field === "code";
      if (asks) form.querySelector("[data-code]").hidden = false;
      say(said.sentence, asks ? "[name='code']" : "input[type='password']");
    } catch {
      say("No answer from the server. What you typed is still here; try again.", "input[type='password']");
    } finally { // cmvig.js holds every form that is sent, until its answer
      delete form.dataset.underWay;
      form.querySelector("button").removeAttribute("aria-disabled");
    }
  };

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-lock]");
    if (!button) return;
    event.preventDefault();
    cover_page("You locked this page.");
    tell({ locked: true });
    try { await post(lockUrl); } catch { /* covered all the same; the server locks by itself when nothing is done */ }
  }, true);
  ending.querySelector("button").addEventListener("click", async () => {
    try {
      if (!(await post(stayUrl)).ok) throw new Error("locked");
      acted();
      tell({ acted: true });
    } catch { cover_page("The session has ended."); }
  });

  document.addEventListener("htmx:responseError", (event) => {
    const { xhr, elt } = event.detail;
    if (!xhr || xhr.status !== 401) return;
    if (elt.matches("form, button")) waiting = elt; // what a person sent; never what a field or a list asked for by itself
    cover_page("The session was locked.");
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    const { successful, elt } = event.detail;
    if (successful && !elt.matches("[data-fresh]")) { acted(); tell({ acted: true }); }
  });
  tabs?.addEventListener("message", ({ data }) => {
    if (data.who !== who) { // somebody else signed in with this browser: this page is not theirs
      if (data.csrf) cover_page("Somebody else has signed in with this browser.");
    } else if (data.locked) cover_page("You locked another page.");
    else {
      if (data.csrf) { take(data.csrf); uncover(); }
      acted();
    }
  });

  tell({ csrf: token() });
  setInterval(look, 1000);
  document.addEventListener("visibilitychange", look);
})();
