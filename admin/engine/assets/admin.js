// Progressive enhancement only: every page works without this file.
"use strict";

// "/" focuses the search box.
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  const search = document.querySelector("[data-search]");
  const box = search || document.querySelector("[data-find]");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey && box) {
    event.preventDefault();
    box.focus();
    box.select();
  }
});

// Ctrl-K focuses the global search.
document.addEventListener("keydown", (event) => {
  const find = document.querySelector("[data-find]");
  if (find && (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    find.focus();
    find.select();
  }
});

// "?" lists the shortcuts.
document.addEventListener("keydown", (event) => {
  const dialog = document.getElementById("shortcuts");
  if (!dialog || event.key !== "?" || event.target.closest("input, textarea, select, [contenteditable]")) return;
  event.preventDefault();
  dialog.showModal();
});

// Fields that hold an object's id suggest objects by name.
const offerSuggestions = (input) => {
  const list = document.createElement("datalist");
  list.id = `${input.id}-suggestions`;
  input.after(list);
  input.setAttribute("list", list.id);
};
let waiting;
document.addEventListener("input", ({ target: input }) => {
  if (!input.matches("[data-suggest]")) return;
  clearTimeout(waiting);
  waiting = setTimeout(async () => {
    const answer = await fetch(`${input.dataset.suggest}?q=${encodeURIComponent(input.value)}`).catch(() => null);
    if (!answer || !answer.ok || !input.list) return;
    const { results } = await answer.json();
    input.list.replaceChildren(...results.map(({ id, text }) => {
      const option = document.createElement("option");
      option.value = id;
      option.label = text;
      option.textContent = text;
      return option;
    }));
  }, 150);
});

// A field that adds several objects is followed by an empty one once something is typed.
const more = ({ target: input }) => {
  if (!input.value) return;
  input.removeEventListener("input", more);
  const next = input.cloneNode();
  next.value = "";
  next.id = `${input.id}-more`;
  next.setAttribute("aria-label", input.labels[0]?.textContent || input.getAttribute("aria-label"));
  input.nextElementSibling.after(next);
  offerSuggestions(next);
  next.addEventListener("input", more);
};
document.querySelectorAll("[data-more]").forEach((input) => input.addEventListener("input", more));

// A checkbox in the column's header selects the whole page, and the number of selected rows is shown.
const offerAll = (page) => {
  const head = page.querySelector("thead .tick");
  if (!head || !page.querySelector("[data-actions]")) return;
  const label = document.createElement("label");
  const all = document.createElement("input");
  const words = document.createElement("span");
  all.type = "checkbox";
  all.dataset.every = "";
  words.className = "unseen";
  words.textContent = "Select all on this page";
  label.append(all, words);
  head.replaceChildren(label);
};
const ticks = () => [...document.querySelectorAll('input[form="actions"]')];
const countTicks = () => {
  const all = document.querySelector("[data-every]");
  if (!all) return;
  const boxes = ticks();
  const ticked = boxes.filter((box) => box.checked).length;
  all.checked = ticked > 0 && ticked === boxes.length;
  all.indeterminate = ticked > 0 && ticked < boxes.length;
  document.querySelector("[data-ticked]").textContent = ticked ? `${ticked} selected` : "";
};
document.addEventListener("change", ({ target: box }) => {
  if (box.matches("[data-every]")) ticks().forEach((tick) => (tick.checked = box.checked));
  if (box.matches('[data-every], input[form="actions"]')) countTicks();
});

// What scripts add to a page, also to one that was fetched again.
const enhance = (page) => {
  page.querySelectorAll("[data-suggest]").forEach(offerSuggestions);
  offerAll(page);
};

// Makes one element like another and keeps what is the same: its focus, its ticks, what is open in it. Children with
// an id, an address or a value are recognized, so that nothing becomes another thing under somebody's finger.
const keyOf = (node) => node.id || node.nodeName === "A" && node.href || node.nodeName === "BUTTON" && node.value || "";
const isAlike = (one, other) => one.nodeName === other.nodeName && keyOf(one) === keyOf(other);
const become = (old, fresh) => {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.nodeValue = fresh.nodeValue;
    return;
  }
  for (const { name } of [...old.attributes]) {
    if (name !== "open" && !fresh.hasAttribute(name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (name !== "open" && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  const keys = new Set([...fresh.childNodes].map(keyOf));
  [...old.childNodes].filter((child) => keyOf(child) && !keys.has(keyOf(child))).forEach((child) => child.remove());
  let at = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    let own = at;
    while (own && !isAlike(own, child)) own = keyOf(child) ? own.nextSibling : null;
    if (!own) {
      if (child.nodeName === "TR") child.classList.add("new");
      old.insertBefore(child, at);
      continue;
    }
    if (own === at) at = at.nextSibling;
    else old.insertBefore(own, at);
    become(own, child);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
};

// Live pages keep up with changes: they are fetched again, from time to time and when the server says that something has
// changed, and become what was fetched. Not while the tab is hidden, and not under somebody who is typing or has selected
// rows: then the page only says that there is something new.
const content = document.getElementById("content");
const keepUp = () => {
  const PAUSE = 1500; // at most one look in so many milliseconds
  const LONGEST = 30; // seconds between looks while nothing changes
  const hint = document.createElement("div");
  hint.className = "news";
  hint.setAttribute("role", "status");
  content.after(hint);

  const written = (page) => page.innerHTML.replace(/name="csrf_token" value="[^"]*"/g, "");
  let shown = written(content);
  let { live, stream } = content.dataset;
  let wait = Number(live);
  let [timer, source] = [null, null];
  let [isDue, isAsked, isLooking, isOver] = [false, false, false, false];
  let soonest = Date.now() + PAUSE;

  const say = (words, label, act) => {
    if (hint.dataset.words === words) return;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = label;
    button.addEventListener("click", act);
    hint.dataset.words = words;
    hint.replaceChildren(`${words} `, button);
  };
  const hush = () => {
    delete hint.dataset.words;
    if (hint.contains(document.activeElement)) document.getElementById("main").focus({ preventScroll: true });
    hint.replaceChildren();
  };

  const isTouched = (control) => {
    if (control.type === "checkbox" || control.type === "radio") return control.checked !== control.defaultChecked;
    if (control.nodeName !== "SELECT") return control.value !== control.defaultValue;
    const initial = [...control.options].findIndex((option) => option.defaultSelected);
    return control.selectedIndex !== Math.max(initial, 0);
  };
  const isBusy = () => {
    const active = content.contains(document.activeElement) ? document.activeElement : null;
    const selection = getSelection();
    return Boolean(active && active.matches("input:not([type=checkbox]), select, textarea, [contenteditable]"))
      || [...content.querySelectorAll("input, select, textarea")].some(isTouched)
      || content.querySelector("details.menu[open]") !== null
      || !selection.isCollapsed && content.contains(selection.anchorNode);
  };

  const plan = () => {
    clearTimeout(timer);
    if (isOver || document.hidden) return;
    timer = setTimeout(look, Math.max(isDue ? 0 : wait * 1000, soonest - Date.now()));
  };
  const lookSoon = () => {
    isDue = true;
    plan();
  };
  const stop = () => {
    isOver = true;
    clearTimeout(timer);
    if (source) source.close();
  };
  // A click that was meant for what stood there a moment ago does nothing.
  let [under, changedAt] = [null, 0];
  document.addEventListener("pointermove", () => (under = null));
  content.addEventListener("click", (event) => {
    if (!under || event.detail === 0 || event.target === under || Date.now() - changedAt > 600) return;
    event.preventDefault();
    event.stopPropagation();
  }, true);

  const show = (fresh, text) => {
    under = [...document.querySelectorAll(":hover")].pop() || null;
    changedAt = Date.now();
    const focused = content.contains(document.activeElement);
    become(content, document.importNode(fresh, true));
    shown = text;
    countTicks();
    hush();
    if (focused && document.activeElement === document.body) document.getElementById("main").focus({ preventScroll: true });
    if (!content.dataset.live) stop();
  };

  const look = async () => {
    if (isOver || isLooking || document.hidden) return;
    isLooking = true;
    isDue = false;
    const began = Date.now();
    const options = { headers: { "x-usher-by-itself": "yes" }, redirect: "manual", signal: AbortSignal.timeout(20000) };
    const answer = await fetch(location.href, options).catch(() => null);
    const text = answer && answer.ok ? await answer.text().catch(() => "") : "";
    const took = Date.now() - began;
    isLooking = false;
    soonest = Date.now() + Math.max(PAUSE, took * 10);
    const fresh = text && new DOMParser().parseFromString(text, "text/html").getElementById("content");
    let hasNews = false;
    if (fresh) {
      const next = written(fresh);
      hasNews = next !== shown;
      if (!hasNews) {
        hush();
      } else if (isAsked || !isBusy()) {
        enhance(fresh);
        show(fresh, next);
      } else {
        say("New changes", "Refresh", () => {
          isAsked = true;
          look();
        });
      }
      isAsked = false;
    } else if (answer && (answer.type === "opaqueredirect" || answer.status >= 400 && answer.status < 500 && answer.status !== 429)) {
      // Signed out, or no longer allowed to see it, or it is gone.
      stop();
      say("This page is out of date", "Reload", () => location.reload());
      return;
    }
    const every = Number(live);
    wait = hasNews ? every : Math.min(wait * 1.5, Math.max(every, LONGEST));
    plan();
  };

  const listen = () => {
    if (isOver || !stream || source || document.hidden) return;
    let isFirst = true;
    source = new EventSource(stream);
    source.addEventListener("open", () => {
      // What happened while nobody listened.
      if (!isFirst) lookSoon();
      isFirst = false;
    });
    source.addEventListener("changed", lookSoon);
    source.addEventListener("end", ({ data }) => {
      if (JSON.parse(data).reason !== "session_changed") return;
      rest();
      look().then(listen);
    });
    source.addEventListener("error", () => {
      // Refused for good; then the page looks more often itself.
      if (source && source.readyState === EventSource.CLOSED) live = Math.min(live, 10);
    });
  };
  const rest = () => {
    if (source) source.close();
    source = null;
  };

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      rest();
      clearTimeout(timer);
    } else {
      listen();
      lookSoon();
    }
  });
  window.addEventListener("pagehide", rest);
  window.addEventListener("pageshow", ({ persisted }) => {
    if (!persisted) return;
    listen();
    lookSoon();
  });
  // Once the person is done, what waited is shown.
  const settle = () => setTimeout(() => hint.dataset.words && !isOver && !isBusy() && lookSoon());
  ["change", "focusout", "toggle"].forEach((what) => content.addEventListener(what, settle, true));
  plan();
  listen();
};
if (content && content.dataset.live) keepUp();
enhance(document);
countTicks();

// Escape and a click outside close a menu.
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") document.querySelectorAll("details.menu[open]").forEach((menu) => (menu.open = false));
});
document.addEventListener("click", (event) => {
  document.querySelectorAll("details.menu[open]").forEach((menu) => {
    if (!menu.contains(event.target)) menu.open = false;
  });
});

// Leaving a form with unsaved changes asks for confirmation.
const form = document.querySelector("[data-form]");
if (form) {
  let changed = false;
  form.addEventListener("input", () => (changed = true));
  form.addEventListener("submit", () => (changed = false));
  window.addEventListener("beforeunload", (event) => {
    if (changed) event.preventDefault();
  });
}
