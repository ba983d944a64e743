"""One JupyterLab and one Chromium for a test session; one page with every widget on it."""

import json

import pytest

from cs231n_lib.widgets.base import REGISTRY

from . import lab


def pytest_collection_modifyitems(items):
    reason = lab.missing()
    for item in items:
        if "tests/browser" in item.path.as_posix():
            item.add_marker(pytest.mark.browser)
            if reason:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("lab")
    everything = ["from cs231n_lib import widgets", *(f"w_{n} = widgets.{n}()\nw_{n}" for n in sorted(REGISTRY))]
    (root / "all.ipynb").write_text(json.dumps(lab.notebook(*everything)))
    name = sorted(REGISTRY)[0]
    twice = ["from cs231n_lib import widgets", f"w = widgets.{name}(); v = widgets.{name}()\nw", "v"]
    (root / "twice.ipynb").write_text(json.dumps(lab.notebook(*twice)))
    return root


@pytest.fixture(scope="session")
def url(folder):
    with lab.server(folder) as address:
        yield address


@pytest.fixture(scope="session")
def chromium():
    with lab.browser() as running:
        yield running


@pytest.fixture(scope="session")
def everything(chromium, url):
    """The page with every widget, each in the kernel as w_<name>."""
    return lab.open_and_run(chromium, url.format(path="all.ipynb"))
