"""Import PyTorch while the reader reads: oracles and stand-ins need it, and its import takes seconds."""

import importlib
import importlib.util
import sys
import threading


def warm_torch() -> threading.Thread | None:
    """Begin to import torch in the background of a notebook's kernel; return the thread, None if there is no need.

    A check that needs torch meanwhile waits for this import and does not begin another. Outside a kernel nothing is
    imported ahead: a short command would only end later.
    """
    if "ipykernel" not in sys.modules or "torch" in sys.modules or importlib.util.find_spec("torch") is None:
        return None
    thread = threading.Thread(target=importlib.import_module, args=("torch",), name="import torch", daemon=True)
    thread.start()
    return thread
