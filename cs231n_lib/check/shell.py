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
    shell: Any = Shell.instance(config=config)
    # `%autoreload` looks at every loaded module's file before each cell; here no file changes.
    shell.extension_manager.loaded.add("autoreload")
    shell.extension_manager.loaded.add("IPython.extensions.autoreload")
    for name in ("autoreload", "aimport"):
        shell.register_magic_function(lambda line: None, magic_name=name)
    return shell
