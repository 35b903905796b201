"""What of its surroundings a stage sees and outlives: the shell's variables, readers, and DVC.

No stage depends on it. After a change of KNOWN, which may change a result: `dvc repro --force`.
"""

import ctypes
import io
import os
import signal
import sys
from typing import Any, TextIO

PR_SET_PDEATHSIG = 1  # of Linux' prctl

# The variables of the shell that a stage may see. All others go: many of TensorFlow's, XLA's,
# OpenMP's or Matplotlib's change numbers or drawings, and nothing else would tell.
KNOWN = {"CHECKPOINTS", "COLUMNS", "CURL_CA_BUNDLE", "DATASET_MIRROR", "HOME", "LANG", "LINES"}
KNOWN |= {"CUDA_VISIBLE_DEVICES"}  # which of several cards is free
KNOWN |= {"LD_LIBRARY_PATH", "LOGNAME", "NETRC", "NO_COLOR", "PATH", "REQUESTS_CA_BUNDLE"}
KNOWN |= {"SSL_CERT_DIR", "SSL_CERT_FILE", "TEMP", "TERM", "TMP", "TMPDIR", "TZ", "USER"}
KNOWN_STARTS = ("DVC_", "LC_", "XDG_")
KNOWN_ENDS = ("_proxy", "_PROXY")


def clear_environment() -> None:
    """Remove each variable that is not known to change no result."""
    for name in list(os.environ):
        known = name in KNOWN or name.startswith(KNOWN_STARTS) or name.endswith(KNOWN_ENDS)
        if not known:
            del os.environ[name]
    os.environ["MATPLOTLIBRC"] = os.devnull  # a broken one of the person's would end `plot`
    os.environ["DVCLIVE_LOGLEVEL"] = "ERROR"  # it warns of the experiment that `-f` is to replace


def die_with_parent() -> None:
    """Let no stage outlive DVC: the next `dvc repro` would start a second one beside it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    signal.signal(signal.SIGTERM, signal.default_int_handler)


class WithoutReader:
    """A stream that may lose its reader: what can no longer be written is dropped."""

    def __init__(self, stream: TextIO | None) -> None:
        self.stream = stream or io.StringIO()
        if isinstance(stream, io.TextIOWrapper):  # a class may have a name that it cannot show
            stream.reconfigure(errors="backslashreplace")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> None:
        try:
            self.stream.write(text)
            self.stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.stream.fileno())

    def flush(self) -> None:
        self.write("")


def outlive_readers() -> None:
    """Go on where nobody reads any more what is printed."""
    sys.stdout, sys.stderr = WithoutReader(sys.stdout), WithoutReader(sys.stderr)
