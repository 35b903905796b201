"""Install what requirements.txt names into .venv, and what requirements-GROUP.txt names.

Behind `make .venv/ready` and `make .venv/ready-GROUP`. The contents of these files decide, not
their times: where they are installed, nothing is done. Libraries are changed in place; another
Python gets a new .venv, and the old one goes when the new one stands.
"""

# This runs before there is an environment, with any Python 3: the standard library, no new syntax.
import argparse
import hashlib
import os
import shutil
import subprocess
import sys

OLDEST, NEWEST = (3, 11), (3, 13)
VENV = ".venv"
OLD = ".venv.old"
PIP = ["-m", "pip", "install", "--disable-pip-version-check", "--quiet", "--require-hashes", "-r"]
# Stages call `python`: this puts the environment first on the PATH of all that it runs.
PATH_FIRST = (
    'import os, sys; os.environ["PATH"] = sys.prefix + "/bin:" + os.environ.get("PATH", "")\n'
)


def python_version():
    return "{}.{}".format(*sys.version_info[:2])


def fingerprint(requirements):
    """What the stamp of an installed file says: its Python, and a hash of its contents."""
    with open(requirements, "rb") as file:
        return python_version() + " " + hashlib.sha256(file.read()).hexdigest() + "\n"


def read(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def check_python():
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        needed = "Python {}.{} to {}.{} is needed".format(*OLDEST, *NEWEST)
        found = f"{sys.executable} is {python_version()}"
        raise SystemExit(needed + "; " + found + ". Try: make PYTHON=python3.13")


def run(*command):
    status = subprocess.call(command)
    if status:
        raise SystemExit(f"{' '.join(command)} ended with status {status}")


def fits():
    """Is there an environment of this Python?"""
    settings = dict(
        line.split(" = ", 1) for line in read(VENV + "/pyvenv.cfg").splitlines() if " = " in line
    )
    version = settings.get("version") or settings.get("version_info", "")  # uv writes the latter
    same = version.startswith(python_version() + ".")
    return same and os.access(VENV + "/bin/python", os.X_OK)


def remove(path):
    if os.path.islink(path):
        os.unlink(path)
    elif os.path.exists(path):
        shutil.rmtree(path)


def make_new():
    """Make an empty environment; the one that was there waits in OLD."""
    if os.path.lexists(VENV) and not os.path.lexists(OLD):
        os.rename(VENV, OLD)
    remove(VENV)  # what an earlier try left
    # Where the old environment's Python runs this, its own base makes the new one.
    run(getattr(sys, "_base_executable", sys.executable), "-m", "venv", VENV)
    folder = f"{VENV}/lib/python{python_version()}/site-packages"
    with open(folder + "/stages.pth", "w") as file:
        file.write(PATH_FIRST)


def install(requirements, stamp):
    run(f"{VENV}/bin/python", *PIP, requirements)
    with open(stamp, "w") as file:
        file.write(fingerprint(requirements))


def install_all():
    if read(VENV + "/ready") == fingerprint("requirements.txt"):
        return
    if os.path.islink(VENV):
        target = os.path.realpath(VENV)
        raise SystemExit(
            f"{VENV} is a link to {target}, which has other libraries: remove the link"
        )
    check_python()
    print(
        "Installing what requirements.txt names into .venv: "
        "up to 370 MB to download, then about a minute"
    )
    sys.stdout.flush()
    if fits():
        install("requirements.txt", VENV + "/ready")
        return
    try:
        make_new()
        install("requirements.txt", VENV + "/ready")
    except BaseException:
        if os.path.lexists(OLD):
            remove(VENV)
            os.rename(OLD, VENV)
        raise
    remove(OLD)


def install_group(group):
    requirements, stamp = f"requirements-{group}.txt", f"{VENV}/ready-{group}"
    if not os.path.exists(requirements):
        raise SystemExit(f"expected a group with a file {requirements}; found none")
    if read(stamp) != fingerprint(requirements):
        install(requirements, stamp)


def main():
    parser = argparse.ArgumentParser(prog="python -m tools.environment", description=__doc__)
    parser.add_argument(
        "group", nargs="*", help="demo, dev, plots or sweep: what requirements-GROUP.txt names"
    )
    options = parser.parse_args()
    install_all()
    for group in options.group:
        install_group(group)


if __name__ == "__main__":
    main()
