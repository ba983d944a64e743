"""The gallery notebook, executed live and as nbgrader executes it; the command that writes it."""

import json

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter

from cs231n_lib.gallery import notebook, write_gallery
from cs231n_lib.widgets.base import REGISTRY


@pytest.mark.parametrize("static", [False, True], ids=["live", "as under nbgrader"])
def test_every_widget_of_the_gallery_runs(static, monkeypatch):
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    monkeypatch.delenv("CS231N_STATIC", raising=False)
    if static:
        monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    done = NotebookClient(nbformat.from_dict(notebook()), timeout=120).execute()
    shown = {c["id"]: c["outputs"] for c in done.cells if c.cell_type == "code" and c["id"] in REGISTRY}
    assert set(shown) == set(REGISTRY)
    for name, outputs in shown.items():
        assert [o.output_type for o in outputs] == ["execute_result"], name
        data = outputs[0].data
        assert data["text/html"].count("<svg") == 1
        assert REGISTRY[name].model.title in data["text/plain"]
        assert ("application/vnd.jupyter.widget-view+json" in data) != static
    # What a live run leaves in the notebook: controls, each with its own layout, and the picture once more.
    kept = len(json.dumps(done.metadata.get("widgets", {})))
    assert static or 0 < kept <= 150_000 * len(REGISTRY)
    if static:
        assert "widgets" not in done.metadata
        page, _ = HTMLExporter().from_notebook_node(done)  # as a feedback page is made
        assert page.count("<svg") == page.count('role="img"') == len(REGISTRY)
        assert len(json.dumps(done)) < 60_000 * len(REGISTRY)


def test_the_gallery_is_written_whole_and_rewritten(tmp_path):
    path = write_gallery(tmp_path / "work")
    nbformat.validate(nbformat.read(path, as_version=4))
    first = path.read_bytes()
    path.write_text("spoiled")
    assert write_gallery(tmp_path / "work").read_bytes() == first
    assert [p.name for p in path.parent.iterdir()] == ["gallery.ipynb"]
