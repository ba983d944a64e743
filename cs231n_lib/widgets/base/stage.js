// What only a browser can do for a widget: send the pointer and keys over its picture to Python, and give each control
// the accessible name and state that ipywidgets leaves out. It draws nothing: without it the controls still work.
const KEYS = /^(Arrow(Left|Right|Up|Down)|Enter|Backspace|Delete| |[1-9])$/;
const SILENCE = 2000; // milliseconds after which an unanswered event is given up, as when the kernel restarts

function set(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

function nameControls(root) {
  for (const row of root.querySelectorAll(".cs231n-row")) {
    const label = row.querySelector(".cs231n-label")?.textContent.trim();
    if (!label) continue;
    const hint = row.querySelector(".cs231n-label [title]")?.title;
    for (const empty of row.querySelectorAll("[title=null]")) empty.removeAttribute("title");
    for (const part of row.querySelectorAll("[role=slider], input, select, .widget-readout")) {
      set(part, "aria-label", label);
      if (hint) set(part, "aria-description", hint);
    }
    for (const bar of row.querySelectorAll(".widget-toggle-buttons")) {
      set(bar, "role", "group");
      set(bar, "aria-label", label);
      for (const button of bar.querySelectorAll("button")) {
        set(button, "aria-pressed", String(button.classList.contains("mod-active")));
      }
    }
  }
  for (const status of root.querySelectorAll(".cs231n-said > .widget-html-content")) {
    set(status, "role", "status");
    set(status, "aria-live", "polite");
  }
}

function render({ model, el }) {
  let root = null;
  let picture = null;
  let observer = null;
  let frame = 0;
  let busy = 0;
  const queue = [];
  const stop = new AbortController();

  function next() {
    if (busy || !queue.length) return;
    model.send({ type: "point", ...queue.shift() });
    busy = setTimeout(() => { busy = 0; next(); }, SILENCE);
  }

  function push(event) {
    const last = queue.at(-1); // a pointer moves faster than a kernel answers: only its latest place matters
    if (last && last.kind === event.kind && (event.kind === "hover" || event.kind === "drag")) queue.pop();
    queue.push(event);
    next();
  }

  function answered(message) {
    if (!message.done) return;
    clearTimeout(busy);
    busy = 0;
    next();
  }

  function place(event, kind) {
    const svg = picture.querySelector("svg");
    if (!svg) return;
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    push({ kind, x: at.x, y: at.y, key: "", shift: event.shiftKey });
  }

  function listen() {
    const on = (name, act) => picture.addEventListener(name, act, { signal: stop.signal });
    let held = false;
    picture.tabIndex = 0;
    set(picture, "data-lm-suppress-shortcuts", "true"); // else JupyterLab takes Enter, digits and arrows for itself
    set(picture, "role", "group");
    set(picture, "aria-label", model.get("help"));
    picture.style.cursor = "crosshair";
    picture.style.outlineOffset = "-2px";
    picture.style.outlineColor = "#0072B2";
    picture.style.touchAction = "pan-y pinch-zoom";
    on("pointerdown", (event) => {
      if (event.button !== 0) return;
      held = true;
      picture.setPointerCapture(event.pointerId);
      picture.focus({ preventScroll: true });
      place(event, "down");
      event.preventDefault();
    });
    on("pointermove", (event) => place(event, held ? "drag" : "hover"));
    on("pointerup", (event) => { if (held) place(event, "up"); held = false; });
    on("pointercancel", () => { held = false; });
    on("keydown", (event) => {
      if (!KEYS.test(event.key) || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      event.stopPropagation();
      push({ kind: "key", x: 0, y: 0, key: event.key, shift: event.shiftKey });
    });
  }

  // The rest of the panel may reach the page after this view, so look again whenever the panel changes.
  function attach() {
    if (stop.signal.aborted) return;
    root = el.closest(".cs231n-widget");
    if (!root) { frame = requestAnimationFrame(attach); return; }
    const look = () => {
      nameControls(root);
      if (!picture && model.get("pointer") && (picture = root.querySelector(".cs231n-picture"))) listen();
    };
    observer = new MutationObserver(look);
    observer.observe(root, { childList: true, subtree: true, attributes: true, attributeFilter: ["class"] });
    look();
  }

  el.style.display = "none";
  model.on("msg:custom", answered);
  attach();
  return () => {
    stop.abort();
    observer?.disconnect();
    cancelAnimationFrame(frame);
    clearTimeout(busy);
    model.off("msg:custom", answered);
  };
}

export default { render };
