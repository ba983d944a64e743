"""Write a widget's picture as a page, in light and dark, to look at while writing it. Not part of a notebook.

python -m cs231n_lib.widgets.base.look conv_explorer '{"stride": 3}' > /tmp/page.html
"""

import sys

from cs231n_lib.widgets import REGISTRY

from .static import Static

# JupyterLab's own values of the variables that pictures use.
THEMES = {
    "light": "--jp-ui-font-color1:rgba(0,0,0,.87);--jp-layout-color0:#fff",
    "dark": "--jp-ui-font-color1:#fff;--jp-layout-color0:#111",
}


def page(name: str, state: str | None = None) -> str:
    """Return HTML with the widget in both themes. Raises KeyError for a name that is not registered."""
    static = Static(REGISTRY[name].model, state, {})
    static.reveal()
    blocks = [
        f'<div style="{variables};color:var(--jp-ui-font-color1);background:var(--jp-layout-color0);padding:12px">'
        f"{static._html()}</div>"
        for variables in THEMES.values()
    ]
    return '<!doctype html><meta charset="utf-8"><body style="margin:0;font-family:sans-serif">' + "".join(blocks)


if __name__ == "__main__":
    print(page(*sys.argv[1:3]))
