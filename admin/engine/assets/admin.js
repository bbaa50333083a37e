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
let fields = 0;
const suggest = (input) => {
  const list = document.createElement("datalist");
  list.id = `suggestions-${fields++}`;
  input.after(list);
  input.setAttribute("list", list.id);
  let waiting;
  input.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(async () => {
      const answer = await fetch(`${input.dataset.suggest}?q=${encodeURIComponent(input.value)}`).catch(() => null);
      if (!answer || !answer.ok) return;
      const { results } = await answer.json();
      list.replaceChildren(...results.map(({ id, text }) => {
        const option = document.createElement("option");
        option.value = id;
        option.label = text;
        option.textContent = text;
        return option;
      }));
    }, 150);
  });
};
document.querySelectorAll("[data-suggest]").forEach(suggest);

// A field that adds several objects is followed by an empty one once something is typed.
const more = ({ target: input }) => {
  if (!input.value) return;
  input.removeEventListener("input", more);
  const next = input.cloneNode();
  next.value = "";
  next.id = `${input.id}-more`;
  next.setAttribute("aria-label", input.labels[0]?.textContent || input.getAttribute("aria-label"));
  input.nextElementSibling.after(next);
  suggest(next);
  next.addEventListener("input", more);
};
document.querySelectorAll("[data-more]").forEach((input) => input.addEventListener("input", more));

// A checkbox in the column's header selects the whole page, and the number of selected rows is shown.
const actions = document.querySelector("[data-actions]");
const boxes = [...document.querySelectorAll('input[form="actions"]')];
const head = document.querySelector("thead .tick");
if (actions && boxes.length && head) {
  const label = document.createElement("label");
  const all = document.createElement("input");
  const words = document.createElement("span");
  all.type = "checkbox";
  words.className = "unseen";
  words.textContent = "Select all on this page";
  label.append(all, words);
  head.replaceChildren(label);
  const said = actions.querySelector("[data-ticked]");
  const update = () => {
    const ticked = boxes.filter((box) => box.checked).length;
    all.checked = ticked === boxes.length;
    all.indeterminate = ticked > 0 && ticked < boxes.length;
    said.textContent = ticked ? `${ticked} selected` : "";
  };
  all.addEventListener("change", () => {
    boxes.forEach((box) => (box.checked = all.checked));
    update();
  });
  boxes.forEach((box) => box.addEventListener("change", update));
  update();
}

// Live pages are fetched again while the tab is visible and nothing in them has focus.
const live = document.querySelector("[data-live]");
if (live) {
  setInterval(async () => {
    const main = document.querySelector("main");
    if (document.hidden || main.contains(document.activeElement) && document.activeElement !== main) return;
    const answer = await fetch(location.href).catch(() => null);
    if (!answer || !answer.ok || answer.redirected) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
    if (fresh) main.replaceChildren(...fresh.childNodes);
  }, Number(live.dataset.live) * 1000);
}

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
