"""How the kernels of notebooks are started. Imports little: every test run asks for it."""

import os
import sys

from evis.data import files, paths


def environment() -> dict[str, str]:
    """Variables that make every kernel start alike, on any user's machine.

    Whatever kernels and IPython start-up files the user has, those of this Python are taken. Sums
    depend on the number of threads, so that is fixed unless the user says otherwise. Kernels that
    talk to their own machine warn that this is not encrypted; they are told not to.
    """
    profile = paths.build() / "ipython" / "profile_default"
    files.write_text(profile / "ipython_kernel_config.py", 'c.IPKernelApp.log_level = "CRITICAL"\n')
    own = os.path.join(sys.prefix, "share", "jupyter")
    return {
        "EVIS_ROOT": str(paths.repository()),
        "IPYTHONDIR": str(paths.build() / "ipython"),
        "JUPYTER_PATH": os.pathsep.join(filter(None, [own, os.environ.get("JUPYTER_PATH")])),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # a warning on stderr otherwise
        "PYTHONHASHSEED": "0",
    }
