/* cmvig: the few lines of script. Every page works without them; nothing here computes, stores or signs anything clinical. */
(() => {
  "use strict";
  const KEYS_OFF = "cmvig.keys"; // the only thing kept in the browser: "off" when single keys are switched off
  const GO = { w: "worklist", v: "verify", p: "prep", i: "infusing", m: "missed", s: "patients", o: "monograph", l: "look-back", f: "forecast", h: "handover" };
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

  // Not saved: one bar, said aloud once, until the next success.
  let failed = null;
  const say = (sentence, form = null) => {
    failed = form;
    $("#not-saved-text").textContent = sentence;
    $("#not-saved-retry").hidden = !form;
    $("#not-saved").hidden = false;
  };
  const quiet = () => { failed = null; $("#not-saved").hidden = true; };
  const REASONS = {
    0: "No answer from the server.", 401: "You are signed out. Sign in again in another tab, then try again.",
    403: "You may not do this, or the page is too old. Open it again.", 404: "This record is not available to you.",
    409: "Someone changed this record meanwhile. Open it again to see it.", 503: "The server is not ready.",
  };
  const writes = (detail) => detail.requestConfig && detail.requestConfig.verb !== "get" && !detail.elt.matches("[data-preview]");
  const refused = (xhr) => // a refusal's own sentence, where the answer carries one
    xhr && new DOMParser().parseFromString(xhr.responseText || "", "text/html").querySelector(".refusal p")?.textContent;
  const outcome = (detail) => {
    const reason = refused(detail.xhr) || REASONS[detail.xhr ? detail.xhr.status : 0] || "The server could not answer.";
    if (writes(detail)) say(`NOT SAVED. ${reason} What you typed is kept on this screen.`, detail.elt.closest("form"));
    else if (!detail.elt.matches("[data-fresh]")) say(`Not shown. ${reason}`); // a list that is not refreshed says so itself
  };
  // A list that refreshes itself is no act of a person, and never keeps a session alive.
  document.addEventListener("htmx:configRequest", (event) => {
    if (event.detail.elt.matches("[data-fresh]")) event.detail.headers["X-Refresh"] = "auto";
  });
  for (const name of ["htmx:sendError", "htmx:responseError", "htmx:timeout", "htmx:swapError"]) {
    document.addEventListener(name, (event) => outcome(event.detail));
  }

  // What may be swapped in: nothing of another patient (hazard H02), and never a whole page such as the sign-in page.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { detail } = event;
    if (!detail.shouldSwap) return;
    quiet();
    const answer = detail.serverResponse || "";
    if (/^\s*<!doctype/i.test(answer)) {
      detail.shouldSwap = false;
      say(`${writes(detail) ? "NOT SAVED. " : ""}${REASONS[401]}`, writes(detail) ? detail.elt.closest("form") : null);
      return;
    }
    const here = document.body.dataset.patient;
    const carried = [...answer.matchAll(/\sdata-patient="([^"]*)"/g)].map((match) => match[1]);
    if (here && carried.some((patient) => patient && patient !== here)) {
      detail.shouldSwap = false;
      say("An answer about another patient was dropped. Open this page again before you go on.");
    }
  });

  // The first error takes the focus, after a refused form and when a page opens with errors.
  const toError = (root) => {
    const place = $("[data-error-focus]", root) || $("[aria-invalid='true']", root);
    if (place) place.focus();
  };
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.detail.xhr && event.detail.xhr.status === 422) toError(event.detail.elt.isConnected ? event.detail.elt : document);
  });
  document.addEventListener("click", (event) => { // an error's link goes into its field, past the label
    const link = event.target.closest(".error-summary a[href^='#']");
    const target = link && document.getElementById(link.hash.slice(1));
    const field = target && (target.matches("input, select, textarea") ? target : $("input, select, textarea", target));
    if (field) { event.preventDefault(); field.focus(); }
  });

  // The focus never comes to lie under the banner, however many alerts it carries (WCAG 2.4.11).
  const banner = $(".banner");
  if (banner) new ResizeObserver(() => { document.documentElement.style.scrollPaddingTop = `${banner.offsetHeight + 12}px`; }).observe(banner);

  // Once is enough: while a form is under way it is not sent again. (The server's token is what really holds.)
  const buttons = (form) => $$("button:not([type='button']), input[type='submit']", form);
  const hold = (form) => {
    form.dataset.underWay = "1";
    setTimeout(() => buttons(form).forEach((button) => button.setAttribute("aria-disabled", "true")));
  };
  const free = (form) => {
    delete form.dataset.underWay;
    buttons(form).forEach((button) => button.removeAttribute("aria-disabled"));
  };
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.underWay) { event.preventDefault(); event.stopImmediatePropagation(); return; }
    const said = (name) => (form.getAttribute(name) || "").toLowerCase(); // form.method may be a field called method
    if (said("method") !== "post" && !form.hasAttribute("hx-post")) return;
    hold(form);
    // A form that answers with a file or in a new tab leaves this page as it is.
    if (said("target") === "_blank" || form.hasAttribute("data-download")) setTimeout(() => free(form), 3000);
  }, true);
  document.addEventListener("htmx:afterRequest", (event) => {
    const form = event.detail.elt && event.detail.elt.closest("form");
    if (form) free(form);
  });
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

  // A list older than it says: measured by elapsed time, never by the clock of this computer (hazard H45).
  let freshSince = performance.now();
  const stale = () => {
    const list = $("[data-fresh]");
    if (!list) return;
    const old = performance.now() - freshSince > 1000 * Number(list.dataset.staleAfter || 90);
    if (old) $("#stale-text").textContent = `Not refreshed since ${list.dataset.asOf}.`;
    $("#stale").hidden = !old;
  };
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target && (event.detail.target.matches("[data-fresh]") || $("[data-fresh]", event.detail.target))) freshSince = performance.now();
    stale();
  });
  document.addEventListener("visibilitychange", stale);
  setInterval(stale, 5000);

  // Keys go to places; none of them signs or records.
  const keysOff = () => { try { return localStorage.getItem(KEYS_OFF) === "off"; } catch { return false; } };
  const rows = () => $$("[data-row] a.row-link, [data-row] td.act a").filter((link, index, all) =>
    all.findIndex((other) => other.closest("[data-row]") === link.closest("[data-row]")) === index);
  const step = (by) => {
    const links = rows();
    const now = links.findIndex((link) => link.closest("[data-row]").contains(document.activeElement));
    const next = links[Math.min(links.length - 1, Math.max(0, now < 0 ? 0 : now + by))];
    if (next) next.focus();
  };
  const go = (key) => {
    const link = GO[key] && $(`.nav a[data-go="${GO[key]}"]`);
    if (link) link.click();
  };
  let leader = -Infinity;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat && !"jk".includes(event.key)) return;
    if (event.target.closest("input:not([type='checkbox'], [type='radio']), textarea, select, [contenteditable]") || keysOff()) return;
    const afterG = performance.now() - leader < 1500;
    leader = -Infinity;
    if (afterG) { go(event.key); return; }
    if (event.key === "g") leader = performance.now();
    else if (event.key === "j") step(1);
    else if (event.key === "k") step(-1);
    else if (event.key === "/") {
      const box = $("[data-search]");
      const link = $('.nav a[data-go="patients"]');
      if (box) box.focus(); else if (link) link.click(); else return;
      event.preventDefault();
    } else if (event.key === "?") { const help = $('.nav a[data-go="help"]'); if (help) help.click(); }
    else if (event.key === "Escape") { const back = $("a[data-back]"); if (back) back.click(); }
    else if (event.key === "l" || event.key === "L") { event.preventDefault(); $("[data-lock]")?.click(); } // never the password's first letter
    else if (/^[a-z]$/.test(event.key)) { const link = $(`main a[data-key="${event.key}"]`); if (link) link.click(); }
  });

  const start = () => {
    toError($("main") || document);
    $("#not-saved-retry")?.addEventListener("click", () => failed && failed.requestSubmit());
    const box = $("#single-keys");
    if (box) {
      box.closest("[hidden]")?.removeAttribute("hidden");
      box.checked = !keysOff();
      box.addEventListener("change", () => { try { localStorage.setItem(KEYS_OFF, box.checked ? "on" : "off"); } catch { /* storage refused: keys stay on */ } });
    }
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start); else start();
})();
