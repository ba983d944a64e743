"""JupyterLab and headless Chromium looking at it: what the browser tests and the latency benchmark share."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCREENSHOTS = ROOT / "build" / "screenshots"  # git-ignored
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or ""
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]
START, LOAD = 90, 60_000  # seconds for the server, milliseconds for a page

# The toolbar says "idle" before there is a kernel; running cells then would open a dialog that nobody answers.
READY = """() => {
  const session = window.jupyterapp?.shell.currentWidget?.sessionContext;
  const kernel = session?.session?.kernel;
  return Boolean(session?.isReady && kernel?.status === "idle" && kernel?.connectionStatus === "connected");
}"""
ALL_RUN = r"""() => {
  const prompts = [...document.querySelectorAll(".jp-Notebook .jp-CodeCell .jp-InputPrompt")];
  return prompts.length > 0 && prompts.every((prompt) => /\[\d+\]/.test(prompt.innerText));
}"""
EXECUTE = """async (code) => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const future = kernel.requestExecute({ code, store_history: false });
  let text = "", failed = "";
  future.onIOPub = (message) => {
    if (message.header.msg_type === "stream") text += message.content.text;
    if (message.header.msg_type === "error") failed = message.content.ename + ": " + message.content.evalue;
  };
  await future.done;
  return [text, failed];
}"""


def missing() -> str:
    """Return why no browser test can run here, "" if it can."""
    try:
        import playwright  # noqa: F401
    except ImportError:
        return "playwright is not installed: pip install playwright"
    return "" if CHROMIUM else "chromium is not installed: apt-get install --no-install-recommends chromium"


def notebook(*sources: str) -> dict:
    """Return a notebook of code cells."""
    cells = [
        {"id": f"cell-{i}", "cell_type": "code", "metadata": {}, "source": s, "outputs": [], "execution_count": None}
        for i, s in enumerate(sources)
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}, "cells": cells}


@contextlib.contextmanager
def server(folder: Path) -> Iterator[str]:
    """Run JupyterLab on loopback with `folder` as its root; everything it writes goes into a scratch home.

    Yields a URL with `{path}` to fill in.
    """
    home = Path(tempfile.mkdtemp(prefix="cs231n-lab-"))
    # Without these, a news toast covers the page and cells off screen are not in it.
    _setting(home, "@jupyterlab/apputils-extension/notification", fetchNews="false", checkForUpdates=False)
    _setting(home, "@jupyterlab/notebook-extension/tracker", windowingMode="none")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = os.urandom(16).hex()
    own = {"HOME": "", "IPYTHONDIR": "ipython", "MPLCONFIGDIR": "mpl", "JUPYTER_CONFIG_DIR": "config"}
    own |= {"JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "runtime", "JUPYTERLAB_SETTINGS_DIR": "settings"}
    own |= {"JUPYTERLAB_WORKSPACES_DIR": "workspaces"}
    environment = {**os.environ, **{name: str(home / part) for name, part in own.items()}, "PYTHONPATH": str(ROOT)}
    for name in ("NBGRADER_EXECUTION", "CS231N_STATIC"):
        environment.pop(name, None)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}", "--allow-root"]
    command += [f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}", "--expose-app-in-browser"]
    with open(home / "lab.log", "wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            _wait_for(process, f"http://127.0.0.1:{port}/api/status?token={token}", home / "lab.log")
            yield f"http://127.0.0.1:{port}/lab/tree/{{path}}?reset&token={token}"
        finally:
            process.terminate()  # also ends its kernels
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    shutil.rmtree(home, ignore_errors=True)


def _setting(home: Path, plugin: str, **values: object) -> None:
    path = home / "settings" / f"{plugin}.jupyterlab-settings"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values))


def _wait_for(process: subprocess.Popen, url: str, log: Path) -> None:
    end = time.monotonic() + START
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"JupyterLab ended at once:\n{log.read_text()}")
        try:
            urllib.request.urlopen(url, timeout=1).read()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not answer in {START} s:\n{log.read_text()}")


@contextlib.contextmanager
def browser() -> Iterator:
    """Run headless Chromium with a fresh profile."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)
        try:
            yield chromium
        finally:
            chromium.close()


def open_and_run(chromium, url: str, *, wait: bool = True):
    """Open a notebook in a new page, wait for its kernel and run all cells. `page.errors` collects what goes wrong."""
    page = chromium.new_page(viewport={"width": 1340, "height": 1000})
    page.set_default_timeout(LOAD)
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)[:300]))
    page.on("console", lambda message: page.errors.append(message.text[:300]) if message.type == "error" else None)
    page.goto(url)
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    page.wait_for_function(READY)
    run_all(page)
    return page


def run_all(page) -> None:
    """Run all cells and wait for them. `void`: the command's promise may never resolve."""
    page.evaluate("void window.jupyterapp.commands.execute('notebook:run-all-cells')")
    page.wait_for_function(ALL_RUN)


def execute(page, code: str) -> str:
    """Run code in the notebook's kernel, outside its cells, and return what it prints."""
    text, failed = page.evaluate(EXECUTE, code)
    assert not failed, f"{code}: {failed}"
    return text.strip()


def set_theme(page, name: str) -> None:
    """Switch JupyterLab to "JupyterLab Light" or "JupyterLab Dark" and wait until it is on."""
    page.evaluate("(theme) => void window.jupyterapp.commands.execute('apputils:change-theme', { theme })", name)
    page.wait_for_function("(name) => document.body.dataset.jpThemeName === name", arg=name)
