"""A bare IPython shell: runs notebook cells, magics included, without a kernel, a history or colours."""

import subprocess
from typing import Any


def make_shell() -> Any:
    """Return this process's shell, made at first use."""
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.text import LSString, SList
    from traitlets.config import Config

    class Shell(InteractiveShell):
        def enable_gui(self, gui: Any = None) -> None:
            """`%matplotlib` asks for an event loop; a cell here has none."""

        def system(self, cmd: str) -> None:
            print(self.getoutput(cmd, split=False, depth=1), end="")

        def getoutput(self, cmd: str, split: bool = True, depth: int = 0) -> Any:
            """Run the command of a `!` through a pipe: IPython wants a terminal for it, and a box has none to give."""
            line = self.var_expand(cmd, depth=depth + 1)
            pipe, mixed, nobody = subprocess.PIPE, subprocess.STDOUT, subprocess.DEVNULL
            done = subprocess.run(line, shell=True, stdin=nobody, stdout=pipe, stderr=mixed, check=False)
            self.user_ns["_exit_code"] = done.returncode
            text = done.stdout.decode(errors="replace")
            return SList(text.splitlines()) if split else LSString(text)

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
