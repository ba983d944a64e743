"""Each widget in JupyterLab: every control is moved as a student would, and picture and kernel must follow."""

import json
import random
import re
import time

import pytest
from PIL import Image

from cs231n_lib.widgets.base import REGISTRY
from cs231n_lib.widgets.base.controls import Button

from . import lab
from .moves import choose, move, panel, press

NAMES = sorted(REGISTRY)
POINTED = [name for name in NAMES if REGISTRY[name].model.point is not None]
ADVANCED = [name for name in NAMES if REGISTRY[name].model.advance is not None]
PATIENCE = 15  # seconds for a picture that takes milliseconds: the machine may be busy


def picture(page, name):
    return page.evaluate("(s) => document.querySelector(s)?.outerHTML ?? ''", f".w-{name} .cs231n-picture svg")


def label(page, name):
    return page.evaluate(
        "(s) => document.querySelector(s)?.getAttribute('aria-label')", f".w-{name} .cs231n-picture svg"
    )


def wait_until(page, condition, what):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"not within {PATIENCE} s: {what}"
        page.wait_for_timeout(20)


def quiet(page, name):
    """True if the picture stays as it is for a while: no event is on its way."""
    shown = picture(page, name)
    page.wait_for_timeout(300)
    return picture(page, name) == shown


def kernel_state(page, name):
    return json.loads(lab.execute(page, f"print(w_{name}.state.to_json())"))


def prepare(page, name, settings):
    """Set the widget back, then to what a control needs; wait until the page shows it."""
    changes = "; ".join(f"w_{name}.set({field!r}, {value!r})" for field, value in settings.items()) or "None"
    lab.execute(page, f"w_{name}.pause(); w_{name}.reset(); {changes}")
    said = lab.execute(page, f"print(w_{name}.status)")
    wait_until(page, lambda: label(page, name) == said, "the page shows the state to start from")


@pytest.mark.parametrize(
    ("name", "field"), [(n, c.field) for n in NAMES for c in REGISTRY[n].model.controls], ids=lambda v: v
)
def test_moving_a_control_changes_picture_and_kernel(everything, name, field):
    page, control = everything, REGISTRY[name].model.control(field)
    prepare(page, name, control.setting)
    if isinstance(control, Button) and control.after:
        shown = picture(page, name)
        press(page, name, control.after)
        wait_until(page, lambda: picture(page, name) != shown, f"{control.after} changes the picture")
    before, shown = kernel_state(page, name), picture(page, name)
    move(page, name, control, before.get(field))
    wait_until(page, lambda: picture(page, name) != shown, f"{field} changes the picture")
    after = kernel_state(page, name)
    assert after != before
    if not isinstance(control, Button):
        assert after[field] != before[field]
    said = lab.execute(page, f"print(w_{name}.status)")
    wait_until(page, lambda: label(page, name) == said, "the page shows what the kernel holds")
    assert lab.execute(page, f"print(w_{name}.problem)") == ""


@pytest.mark.parametrize("name", POINTED)
def test_pointer_and_keys_change_the_picture(everything, name):
    page = everything
    prepare(page, name, {})
    area = panel(page, name).locator(".cs231n-picture")
    area.scroll_into_view_if_needed()
    svg = panel(page, name).locator(".cs231n-picture svg").bounding_box()
    shown, changed = picture(page, name), False
    for across, down in ((0.2, 0.3), (0.3, 0.4), (0.75, 0.3), (0.5, 0.5)):
        page.mouse.move(svg["x"] + across * svg["width"], svg["y"] + down * svg["height"])
        page.mouse.down()
        page.mouse.up()
        end = time.monotonic() + 2
        while time.monotonic() < end and not changed:
            changed = picture(page, name) != shown
            page.wait_for_timeout(20)
    assert changed, "clicking on the picture changes it"
    page.mouse.move(1, 1)
    wait_until(page, lambda: quiet(page, name), "the last of the clicks has been answered")
    prepare(page, name, {})
    shown = picture(page, name)
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "Enter"):
        area.press(key)
    wait_until(page, lambda: lab.execute(page, f"print(w_{name}.state == w_{name}.start)") == "False", "keys arrive")
    wait_until(page, lambda: picture(page, name) != shown, "keys change the picture")


@pytest.mark.parametrize("name", ADVANCED)
def test_run_moves_the_picture_until_it_is_paused(everything, name):
    page = everything
    prepare(page, name, {})
    shown = picture(page, name)
    button = panel(page, name).locator(".c-run").first
    button.click()
    wait_until(page, lambda: picture(page, name) != shown, "Run changes the picture")
    button.click()
    wait_until(page, lambda: lab.execute(page, f"print(w_{name}.running)") == "False", "it pauses")


@pytest.mark.parametrize("name", NAMES)
def test_answers_and_settings_as_code(everything, name):
    page = everything
    control = next(c for c in REGISTRY[name].model.controls if not isinstance(c, Button) and not c.needs)
    prepare(page, name, {})
    lab.execute(page, f"w_{name}.set({control.field!r}, {control.other(kernel_state(page, name)[control.field])!r})")
    panel(page, name).locator("button.c-code").click()
    code = panel(page, name).locator(".cs231n-code code")
    code.wait_for()
    again = lab.execute(page, f"print(({code.inner_text()}).state == w_{name}.state)")
    assert again == "True"
    panel(page, name).locator("button.c-code").click()
    answer = REGISTRY[name].model.challenge[0][1]
    assert answer[:40] not in panel(page, name).locator(".cs231n-challenge").inner_text()
    panel(page, name).locator("button.c-reveal").click()
    wait_until(page, lambda: answer[:40] in panel(page, name).locator(".cs231n-challenge").inner_text(), "the answers")
    lab.execute(page, f"w_{name}.revealed = False; w_{name}.reset(); w_{name}._painted()")


@pytest.mark.parametrize("name", NAMES)
def test_every_control_has_a_name_for_screen_readers(everything, name):
    nameless = everything.evaluate(
        """(root) => [...document.querySelectorAll(root + " [role=slider], " + root + " input, " + root + " select")]
          .filter((part) => part.offsetParent && !part.getAttribute("aria-label")).map((part) => part.outerHTML)""",
        f".w-{name}",
    )
    assert nameless == []
    assert everything.locator(f".w-{name} .cs231n-said [aria-live=polite]").count() == 1


CONTRAST = """(root) => {
  const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
  const linear = (v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const luminance = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const style = getComputedStyle(document.querySelector(root + " .cs231n-picture svg"));
  const [text, panel] = [numbers(style.color), numbers(style.backgroundColor)];
  const ink = panel.slice(0, 3).map((v, i) => (text[3] ?? 1) * text[i] + (1 - (text[3] ?? 1)) * v);
  const [high, low] = [luminance(ink), luminance(panel)].sort((a, b) => b - a);
  return (high + 0.05) / (low + 0.05);
}"""


@pytest.mark.parametrize("theme", ["Light", "Dark"])
@pytest.mark.parametrize("name", NAMES)
def test_legible_in_both_themes_and_photographed(everything, name, theme):
    page = everything
    prepare(page, name, {})
    lab.set_theme(page, f"JupyterLab {theme}")
    try:
        assert page.evaluate(CONTRAST, f".w-{name}") >= 7  # WCAG's stricter bound for text
        lab.SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        panel(page, name).scroll_into_view_if_needed()
        panel(page, name).screenshot(path=str(lab.SCREENSHOTS / f"{name}-{theme.lower()}.png"))
        wider = "(root) => { const e = document.querySelector(root); return e.scrollWidth - e.clientWidth; }"
        assert page.evaluate(wider, f".w-{name}") <= 1, "the panel is wider than its cell"
    finally:
        lab.set_theme(page, "JupyterLab Light")


@pytest.mark.parametrize("name", NAMES)
def test_a_walk_over_the_controls_leaves_a_picture_after_each_step(everything, name):
    page, rng = everything, random.Random(name)
    prepare(page, name, {})
    for _ in range(8):
        state = kernel_state(page, name)
        shown = [
            c for c in REGISTRY[name].model.controls if panel(page, name).locator(f".c-{c.field}").first.is_visible()
        ]
        control = rng.choice(shown)
        move(page, name, control, state.get(control.field))
        # Asked again each time: the kernel may hear of the move after the first question.
        same = lambda: label(page, name) == lab.execute(page, f"print(w_{name}.status)")  # noqa: E731
        wait_until(page, same, f"a picture after {control.field}")
        told = lab.execute(page, f"print(w_{name}.problem)")
        assert not re.match(r"\w+(Error|Exception):", told)


@pytest.mark.parametrize("name", NAMES)
def test_hints_are_shown_and_read_out_and_every_part_is_drawn(everything, name):
    rows = panel(everything, name).locator(".cs231n-row")
    hinted = [c for c in REGISTRY[name].model.controls if c.hint and not isinstance(c, Button)]
    assert rows.locator(".cs231n-label [title]").count() == len(hinted)
    for control in hinted:
        row = panel(everything, name).locator(f".cs231n-row.c-{control.field}").first
        assert row.locator(".cs231n-label [title]").get_attribute("title") == control.hint
        part = row.locator("[role=slider], input, select").first
        assert part.count() == 0 or part.get_attribute("aria-description") == control.hint
    assert panel(everything, name).get_by_text("javascript error").count() == 0


def test_a_picture_of_ones_own_is_chosen_in_the_browser(everything, tmp_path):
    page, name = everything, "live_trainer"
    prepare(page, name, {})
    for file, told in (
        ("notes.png", "notes.png is no picture that can be read"),
        ("red.png", "red.png: its middle square"),
    ):
        if file == "notes.png":
            (tmp_path / file).write_text("hello")
        else:
            Image.new("RGB", (90, 40), "red").save(tmp_path / file)
        choose(page, name, "upload", tmp_path / file)
        wait_until(page, lambda told=told: told in label(page, name), told)
    assert kernel_state(page, name)["own"] == "red.png"


def test_two_of_a_kind_are_apart_and_a_restart_in_the_middle_is_survived(chromium, url):
    page = lab.open_and_run(chromium, url.format(path="twice.ipynb"))
    name = NAMES[0]
    page.wait_for_function("(s) => document.querySelectorAll(s).length === 2", arg=f".w-{name} .cs231n-picture svg")
    control = next(c for c in REGISTRY[name].model.controls if not isinstance(c, Button) and not c.needs)
    read = "(s) => [...document.querySelectorAll(s)].map((e) => e.outerHTML)"
    first, second = page.evaluate(read, f".w-{name} .cs231n-picture svg")
    lab.execute(page, f"w.set({control.field!r}, {control.samples()[-1]!r})")
    wait_until(page, lambda: page.evaluate(read, f".w-{name} .cs231n-picture svg")[0] != first, "the first moved")
    assert page.evaluate(read, f".w-{name} .cs231n-picture svg")[1] == second
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart().then(() => 0)")
    page.wait_for_function(lab.READY)
    kept = page.evaluate(read, ".jp-OutputArea svg[role=img]")  # nobody answers the controls now
    assert len(kept) == 2, "after a restart both pictures stay"
    assert kept[1] == second
    lab.run_all(page)
    wait_until(page, lambda: lab.execute(page, "print('w' in globals())") == "True", "the cells ran again")
    wait_until(page, lambda: page.evaluate(read, f".w-{name} .cs231n-picture svg") == [first, second], "both are back")
    page.close()


def test_nothing_went_wrong_on_the_page(everything):
    assert everything.errors == []
