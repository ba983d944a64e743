"""A bare IPython shell: runs notebook cells, magics included, without a kernel, a history or colours."""

from typing import Any


def make_shell() -> Any:
    """Return this process's shell, made at first use."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    class Shell(InteractiveShell):
        def enable_gui(self, gui: Any = None) -> None:
            """`%matplotlib` asks for an event loop; a cell here has none."""

    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    config.InteractiveShell.xmode = "Plain"
    config.InteractiveShell.autocall = 0
    return Shell.instance(config=config)
