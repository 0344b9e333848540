"use strict";
// The report is complete without this script, which makes it quicker to read: tabs, a filter whose
// state stands in the address, diffs in colour or side by side. Text from the page is only ever set
// as text (textContent): the page's policy forbids everything else.
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const one = (selector, root = document) => root.querySelector(selector);
  const make = (tag, properties = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (name in made) made[name] = value;
      else made.setAttribute(name, value);
    }
    made.append(...children);
    return made;
  };

  // -- diffs --------------------------------------------------------------------------------------

  const LONGEST = 300; // words of a line that are compared; their number counts twice
  const tokens = (text) => text.match(/[\p{L}\p{N}_]+|\s+|[^\p{L}\p{N}_\s]/gu) || [];
  const key = (text) => (/^\s*(?:- )?[^:]*:/.exec(text) || [text.trim()])[0];

  // Removed and added lines of one place, side by side: those of the same key belong together.
  const pairs = (removed, added) => {
    const rows = [];
    let next = 0;
    for (const before of removed) {
      const match = added.findIndex((after, index) => index >= next && key(after) === key(before));
      if (match < 0) { rows.push([before, null]); continue; }
      while (next < match) rows.push([null, added[next++]]);
      rows.push([before, added[next++]]);
    }
    while (next < added.length) rows.push([null, added[next++]]);
    const changed = rows.filter((row) => row[0] !== null && row[1] !== null);
    return changed.length || removed.length !== added.length
      ? rows : removed.map((before, index) => [before, added[index]]);
  };

  // Which words of two lines are not in the other: their longest common subsequence is left out.
  const marked = (before, after) => {
    const [left, right] = [tokens(before), tokens(after)];
    if (left.length > LONGEST || right.length > LONGEST) return null;
    const width = right.length + 1;
    const lengths = new Uint16Array((left.length + 1) * width);
    for (let i = left.length - 1; i >= 0; i--) {
      for (let j = right.length - 1; j >= 0; j--) {
        lengths[i * width + j] = left[i] === right[j] ? lengths[(i + 1) * width + j + 1] + 1
          : Math.max(lengths[(i + 1) * width + j], lengths[i * width + j + 1]);
      }
    }
    const [gone, come] = [[], []];
    let [i, j] = [0, 0];
    while (i < left.length || j < right.length) {
      if (i < left.length && j < right.length && left[i] === right[j]) {
        gone.push([left[i++], false]); come.push([right[j++], false]);
      } else if (j >= right.length
          || (i < left.length && lengths[(i + 1) * width + j] >= lengths[i * width + j + 1])) {
        gone.push([left[i++], true]);
      } else {
        come.push([right[j++], true]);
      }
    }
    const kept = gone.filter(([text, is]) => !is && text.trim()).length;
    return kept ? [gone, come] : null; // nothing in common: the whole line says it
  };

  // Words as nodes; neighbours that are marked become one mark.
  const worded = (parts) => {
    const nodes = [];
    for (let i = 0; i < parts.length;) {
      const is = parts[i][1];
      let text = "";
      while (i < parts.length && parts[i][1] === is) text += parts[i++][0];
      nodes.push(is ? make("mark", {}, text) : text);
    }
    return nodes;
  };

  // Rows of a diff: [before, after, kind], each side a list of nodes or null.
  const rowsOf = (lines) => {
    const rows = [];
    for (let i = 0; i < lines.length;) {
      const sign = lines[i][0];
      if (sign === "@") { rows.push([[lines[i++].slice(2).trim() || "\u22ef"], null, "gap"]); continue; }
      if (sign !== "-" && sign !== "+") {
        const text = lines[i++].slice(1);
        rows.push([[text], [text], "same"]);
        continue;
      }
      const [removed, added] = [[], []];
      while (i < lines.length && lines[i][0] === "-") removed.push(lines[i++].slice(1));
      while (i < lines.length && lines[i][0] === "+") added.push(lines[i++].slice(1));
      for (const [before, after] of pairs(removed, added)) {
        const words = before !== null && after !== null ? marked(before, after) : null;
        rows.push([
          before === null ? null : words ? worded(words[0]) : [before],
          after === null ? null : words ? worded(words[1]) : [after],
          "changed",
        ]);
      }
    }
    return rows;
  };

  const unified = (rows) => {
    const made = make("pre", { className: "diff done" });
    let [removed, added] = [[], []];
    const flush = () => { made.append(...removed, ...added); [removed, added] = [[], []]; };
    for (const [before, after, kind] of rows) {
      if (kind === "changed") {
        if (before) removed.push(make("del", {}, "-", ...before));
        if (after) added.push(make("ins", {}, "+", ...after));
        continue;
      }
      flush();
      made.append(kind === "gap" ? make("i", {}, ...before) : make("span", {}, " ", ...before));
    }
    flush();
    return made;
  };

  const split = (rows) => {
    const cell = (side, kind, changed) => make("td",
      { className: side ? (kind === "changed" ? changed : "") : "void" }, ...(side || []));
    const body = make("tbody", {}, ...rows.map(([before, after, kind]) => kind === "gap"
      ? make("tr", {}, make("td", { className: "gap", colSpan: 2 }, ...before))
      : make("tr", {}, cell(before, kind, "del"), cell(after, kind, "ins"))));
    const head = make("tr", {}, make("th", { scope: "col" }, "before"), make("th", { scope: "col" }, "after"));
    return make("table", { className: "diff done" }, make("thead", {}, head), body);
  };

  const texts = new WeakMap(); // of each change: its diff as it came
  const narrow = matchMedia("(max-width: 44rem)");
  const view = () => (state.view === "split" && !narrow.matches ? "split" : "unified");
  const draw = (change) => {
    const shown = one(".diff", change);
    if (!shown || shown.dataset.view === view()) return;
    if (!texts.has(change)) texts.set(change, shown.textContent);
    const rows = rowsOf(texts.get(change).split("\n"));
    const made = view() === "split" ? split(rows) : unified(rows);
    made.dataset.view = view();
    shown.replaceWith(made);
  };

  // A diff is drawn when it comes into sight: opening two thousand of them costs what is seen.
  const sight = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting && entry.target.open) draw(entry.target);
  }, { rootMargin: "300px" });

  // -- state, in the address ----------------------------------------------------------------------

  const NAMES = ["env", "q", "kind", "ns", "action", "view", "object", "keys"];
  const state = Object.fromEntries(NAMES.map((name) => [name, ""]));
  const read = () => {
    const written = new URLSearchParams(location.hash.slice(1));
    for (const name of NAMES) state[name] = written.get(name) || "";
  };
  const write = () => {
    const told = new URLSearchParams(NAMES.filter((name) => state[name]).map((name) => [name, state[name]]));
    try {
      history.replaceState(null, "", `#${told}`);
    } catch { /* a sandboxed frame has no address of its own */ }
  };

  // -- environments as tabs -----------------------------------------------------------------------

  const panels = all(".environment");
  const tabs = panels.map((panel, index) => make("button", {
    type: "button", role: "tab", id: `tab-${index}`, "aria-controls": panel.id,
  }, one("h2 .mark", panel).cloneNode(true), panel.dataset.name, make("small")));
  const select = (index, { focus = false } = {}) => {
    panels.forEach((panel, at) => {
      panel.hidden = tabs.length > 1 && at !== index;
      tabs[at].setAttribute("aria-selected", at === index);
      tabs[at].tabIndex = at === index ? 0 : -1;
    });
    if (panels[index]) state.env = tabs.length > 1 ? panels[index].dataset.name : "";
    if (focus) tabs[index].focus();
    if (count) tell();
  };
  const current = () => Math.max(panels.findIndex((panel) => !panel.hidden), 0);
  const steps = { ArrowLeft: -1, ArrowRight: 1 };
  if (tabs.length > 1) {
    panels.forEach((panel, index) => {
      panel.setAttribute("role", "tabpanel");
      panel.setAttribute("aria-labelledby", `tab-${index}`);
      tabs[index].addEventListener("click", () => { select(index); write(); });
    });
    const list = make("div", { role: "tablist", "aria-label": "Environments" }, ...tabs);
    list.addEventListener("keydown", (event) => {
      const last = tabs.length - 1;
      const to = event.key === "Home" ? 0 : event.key === "End" ? last
        : event.key in steps ? (current() + steps[event.key] + tabs.length) % tabs.length : -1;
      if (to < 0) return;
      event.preventDefault();
      select(to, { focus: true });
      write();
    });
    one("#tools").before(list);
  }

  // -- the filter ---------------------------------------------------------------------------------

  const changes = all(".change");
  const objects = all("[data-object]");
  const tools = one("#tools");
  const search = make("input", {
    type: "search", placeholder: "Find objects, or text in their diffs", "aria-label": "Find objects",
  });
  const choice = (name, label, values) => {
    const made = make("select", { "aria-label": label }, make("option", { value: "" }, label));
    for (const value of [...new Set(values)].filter(Boolean).sort()) {
      made.append(make("option", { value }, value));
    }
    made.addEventListener("change", () => { state[name] = made.value; narrowed(); });
    return made;
  };
  const choices = {
    kind: choice("kind", "Any kind", objects.map((object) => object.dataset.kind)),
    ns: choice("ns", "Any namespace", objects.map((object) => object.dataset.namespace)),
    action: choice("action", "Any action", changes.map((change) => change.dataset.action)),
  };
  const count = make("span", { role: "status" });
  const clear = make("button", { type: "button", hidden: true }, "Clear");
  const found = new WeakMap(); // what is searched of an object, in lower case

  const finds = (object, words) => {
    if (!words.length) return true;
    if (!found.has(object)) found.set(object, (object.textContent || "").toLowerCase());
    return words.every((word) => found.get(object).includes(word));
  };
  const narrowed = () => {
    const words = state.q.toLowerCase().split(/\s+/).filter(Boolean);
    for (const object of objects) {
      const { kind, namespace, action } = object.dataset;
      object.hidden = Boolean((state.kind && kind !== state.kind) || (state.ns && namespace !== state.ns)
        || (state.action && action && action !== state.action) || !finds(object, words));
    }
    clear.hidden = !(state.q || state.kind || state.ns || state.action);
    tell();
    write();
  };
  const tell = () => {
    const filtered = !clear.hidden;
    panels.forEach((panel, index) => {
      const inside = all(".change", panel);
      const left = inside.filter((change) => !change.hidden).length;
      one("small", tabs[index]).textContent = filtered ? `${left} of ${inside.length}` : `${inside.length}`;
      if (index === current()) {
        count.textContent = filtered ? `${left} of ${inside.length} changes shown`
          : `${inside.length || "no"} change${inside.length === 1 ? "" : "s"}`;
      }
    });
  };
  const follow = () => { // what the address says
    read();
    const wanted = panels.findIndex((panel) => panel.dataset.name === state.env);
    select(Math.max(wanted, 0));
    search.value = state.q;
    for (const [name, made] of Object.entries(choices)) {
      made.value = state[name];
      if (made.selectedIndex < 0) made.value = state[name] = "";
    }
    shown();
    narrowed();
  };
  search.addEventListener("input", () => { state.q = search.value; narrowed(); });
  clear.addEventListener("click", () => {
    for (const name of ["q", "kind", "ns", "action"]) state[name] = "";
    search.value = "";
    for (const made of Object.values(choices)) made.value = "";
    narrowed();
    search.focus();
  });

  // -- looking at changes -------------------------------------------------------------------------

  const modes = { "": "Unified", split: "Side by side" };
  const buttons = Object.entries(modes).map(([mode, label]) => {
    const made = make("button", { type: "button" }, label);
    made.addEventListener("click", () => { state.view = mode; shown(); write(); });
    return made;
  });
  const shown = () => {
    Object.keys(modes).forEach((mode, index) => buttons[index].setAttribute("aria-pressed", mode === state.view));
    for (const change of changes) {
      if (change.open) { sight.unobserve(change); sight.observe(change); }
    }
  };
  narrow.addEventListener("change", shown);
  const here = () => all(".change", panels[current()]).filter((change) => !change.hidden);
  const opened = (is) => { for (const change of here()) change.open = is; };
  const every = make("button", { type: "button" }, "Open all");
  every.addEventListener("click", () => {
    const open = !here().some((change) => change.open);
    opened(open);
    every.textContent = open ? "Close all" : "Open all";
  });
  for (const change of changes) {
    change.addEventListener("toggle", () => {
      if (!change.open) { sight.unobserve(change); return; }
      sight.observe(change);
    });
    one("summary", change).addEventListener("click", () => {
      state.object = change.open ? "" : change.id; // it opens after this
      write();
    });
  }
  // A place in the page: its tab is chosen, its fold opened, and no filter hides it.
  const reveal = (id) => {
    const target = document.getElementById(id);
    const panel = target && target.closest(".environment");
    if (!panel) return false;
    select(panels.indexOf(panel));
    if (target.hidden) clear.click();
    if (target.matches(".change")) {
      target.open = true;
      state.object = id;
    }
    target.scrollIntoView({ block: target === panel ? "start" : "center" });
    const focus = target.matches(".change") ? one("summary", target) : one("h2", target);
    if (!focus.matches("summary")) focus.tabIndex = -1;
    focus.focus({ preventScroll: true });
    write();
    return true;
  };
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    const address = link && link.getAttribute("href");
    if (address && address.startsWith("#") && reveal(address.slice(1))) event.preventDefault();
  });

  // -- the picture of the order: the edges of what is looked at ------------------------------------

  for (const graph of all(".graph")) {
    const lit = (event, is) => {
      const node = event.target.closest("[data-node]") || one("[data-node]", event.target);
      if (!node) return;
      for (const path of all("path", graph)) {
        const touches = [path.dataset.from, path.dataset.to].includes(node.dataset.node);
        if (touches) path.classList.toggle("lit", is);
      }
    };
    for (const name of ["pointerover", "focusin"]) graph.addEventListener(name, (event) => lit(event, true));
    for (const name of ["pointerout", "focusout"]) graph.addEventListener(name, (event) => lit(event, false));
  }

  // -- copying ------------------------------------------------------------------------------------

  const copied = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch { // not allowed, or not a secure address: the old way
      const field = make("textarea", { value: text });
      (one("dialog[open]") || document.body).append(field);
      field.select();
      document.execCommand("copy");
      field.remove();
    }
  };
  for (const command of all("code.command")) {
    const button = make("button", { type: "button", className: "copy" }, "Copy");
    button.setAttribute("aria-label", `Copy ${command.textContent}`);
    button.addEventListener("click", async () => {
      await copied(command.textContent);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
    command.after(button);
  }

  // -- keys ---------------------------------------------------------------------------------------

  const KEYS = {
    "/": ["find objects", () => search.focus()],
    j: ["next object", () => move(1)],
    k: ["previous object", () => move(-1)],
    e: ["open or close all", () => every.click()],
    u: ["unified or side by side", () => buttons[state.view ? 0 : 1].click()],
    "?": ["this list", () => keys.showModal()],
  };
  const move = (by) => {
    const list = here();
    const at = list.indexOf(document.activeElement.closest(".change"));
    const next = list[at < 0 ? (by > 0 ? 0 : list.length - 1) : Math.min(Math.max(at + by, 0), list.length - 1)];
    if (next) one("summary", next).focus();
  };
  // Whoever speaks to the machine needs keys of one letter off: WCAG 2.1.4.
  const single = make("input", { type: "checkbox", checked: true });
  single.addEventListener("change", () => { state.keys = single.checked ? "" : "off"; write(); });
  const close = make("button", { type: "button" }, "Close");
  close.addEventListener("click", () => keys.close());
  const keys = make("dialog", { "aria-label": "Keys" }, make("h2", {}, "Keys"),
    make("dl", {}, ...Object.entries(KEYS).flatMap(([name, [what]]) => [
      make("dt", {}, make("kbd", {}, name)), make("dd", {}, what)])),
    make("p", {}, make("label", {}, single, " keys of one letter are on")), make("p", {}, close));
  const help = make("button", { type: "button", "aria-haspopup": "dialog" }, "Keys");
  help.addEventListener("click", () => keys.showModal());
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || keys.open) return;
    const typing = event.target.matches("input, select, textarea");
    if (event.key === "Escape" && event.target === search) { clear.click(); return; }
    const arrow = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (arrow && event.target.matches(".change > summary")) { event.preventDefault(); move(arrow); return; }
    if (typing || state.keys === "off" || !Object.hasOwn(KEYS, event.key)) return;
    event.preventDefault();
    KEYS[event.key][1]();
  });

  // -- paper --------------------------------------------------------------------------------------

  let closed = [];
  addEventListener("beforeprint", () => {
    closed = all("details:not([open])").filter((fold) => !fold.hidden);
    for (const fold of closed) {
      fold.open = true;
      if (fold.matches(".change")) draw(fold);
    }
  });
  addEventListener("afterprint", () => { for (const fold of closed) fold.open = false; });

  // -- begin --------------------------------------------------------------------------------------

  if (objects.length) {
    const group = make("div", { className: "group view", role: "group", "aria-label": "Diffs" }, ...buttons);
    const told = make("div", { className: "found about" }, count, clear);
    tools.append(search, ...Object.values(choices).filter((made) => made.options.length > 2),
      group, every, help, told);
    tools.hidden = false;
    document.body.append(keys);
  }
  const asked = location.hash.slice(1);
  follow();
  single.checked = state.keys !== "off";
  if (state.object) reveal(state.object);
  else if (asked && !asked.includes("=")) reveal(decodeURIComponent(asked));
  addEventListener("hashchange", follow);
  document.documentElement.dataset.ready = "yes";
})();
