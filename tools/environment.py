"""Install what requirements.txt names into .venv, and what requirements-GROUP.txt names.

Behind `make .venv/ready` and `make .venv/ready-GROUP`. The contents of these files decide, not
their times: where they are installed, nothing is done. pip brings uv, and uv the rest; where there
is no uv, pip does it. Libraries are changed in place; another Python gets a new .venv, and the old
one goes when the new one stands.
"""

# This runs before there is an environment, with any Python 3: the standard library, no new syntax.
import argparse
import ast
import fcntl
import glob
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile

OLDEST, NEWEST = (3, 11), (3, 13)
PROCESSOR = "/proc/cpuinfo"
VENV = ".venv"
OLD = ".venv.old"
LOCK = ".venv.lock"
UV = "requirements-uv.txt"
PIP = ["-m", "pip", "install", "--disable-pip-version-check", "--quiet", "--require-hashes", "-r"]
# What pip can be told of where packages are, and the variable that tells it uv.
PIP_SETTINGS = {
    "cert": "SSL_CERT_FILE",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "index-url": "UV_DEFAULT_INDEX",
    "proxy": "ALL_PROXY",
    "trusted-host": "UV_INSECURE_HOST",
}
# Run by each Python of the environment as it starts. Stages call `python`: the environment comes
# first on PATH. DVC starts them by $SHELL, which may be nologin, and wants a name of the user.
BEFORE_ALL = (
    'import os, pwd, sys; e = os.environ; e["PATH"] = sys.prefix + "/bin:" + e.get("PATH", ""); '
    'e["SHELL"] = "/bin/sh"; e["USER"] = e.get("USER") or '
    "{user[2]: user[0] for user in pwd.getpwall()}.get(os.getuid(), str(os.getuid()))\n"
)
# Vega, which draws the charts of `dvc plots show`; tools/plots.html loads it from VENV/vega.js.
VEGA = "/lib/*/site-packages/js_lib_vega_embed/static/js_lib_vega_embed/vega-embed-full.js"


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


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def run(*command):
    status = subprocess.call(command)
    if status:
        raise SystemExit(f"{' '.join(command)} ended with status {status}")


# --- what is needed ---


def check_processor():
    """TensorFlow is built for AVX; without it a stage would end in DVC's `exited with -4`."""
    flags = re.search(r"^flags\s*:(.*)", read(PROCESSOR), re.MULTILINE)
    if platform.machine() == "x86_64" and flags and "avx" not in flags.group(1).split():
        needed = f"{PROCESSOR}: expected a processor with AVX, for which TensorFlow is built"
        raise SystemExit(needed + "; found one without: use another machine")


def find_python(uv):
    """The path of a Python on this machine that fits; "" if there is none."""
    wanted = ">={}.{},<={}.{}.99".format(*OLDEST, *NEWEST)
    command = [uv, "python", "find", "--system", wanted]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return done.stdout.decode().strip()


def other_python():
    """The path of a Python that fits: one that is here, else one that uv downloads; "" if none."""
    with tempfile.TemporaryDirectory() as folder:
        python, uv = folder + "/bin/python", folder + "/bin/uv"
        for command in [sys.executable, "-m", "venv", folder], [python, *PIP, UV]:
            if subprocess.call(command):
                return ""
        found = find_python(uv)
        if not found:
            download = [uv, "python", "install", "--no-bin", "{}.{}".format(*NEWEST)]
            subprocess.call(download, stderr=subprocess.DEVNULL)
            found = find_python(uv)
        return found


def fit_python():
    """Go on with a Python for which TensorFlow has wheels; SystemExit if none can be had."""
    if OLDEST <= sys.version_info[:2] <= NEWEST:
        return
    needed = "Python {}.{} to {}.{} is needed".format(*OLDEST, *NEWEST)
    needed += f"; {sys.executable} is {python_version()}"
    print(needed + ". Looking for another one", flush=True)
    other = other_python()
    if not other:
        raise SystemExit(needed + ". Try: make PYTHON=python{}.{}".format(*NEWEST))
    print(f"Going on with {other}", flush=True)
    os.execv(other, [other, "-E", "-m", "tools.environment", *sys.argv[1:]])


# --- the environment ---


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


# --- what is installed ---


def uv_environment():
    """The variables with which uv finds packages where pip does, and trusts whom pip trusts."""
    command = [VENV + "/bin/python", "-m", "pip", "config", "list"]
    listed = subprocess.run(command, stdout=subprocess.PIPE).stdout.decode()
    # A package may be in any of several indexes, as for pip: its hash decides.
    variables = {"UV_INDEX_STRATEGY": "unsafe-best-match", "UV_SYSTEM_CERTS": "1"}
    for section in ("global", "install", ":env:"):  # the last one counts
        for name, value in re.findall(rf"^{section}\.([\w-]+)=(.*)$", listed, re.MULTILINE):
            if name in PIP_SETTINGS:
                separator = "," if name == "find-links" else " "
                variables[PIP_SETTINGS[name]] = separator.join(ast.literal_eval(value).split())
    return {**variables, **os.environ}


def bring_uv():
    """Is uv there now? Not every platform has a wheel of it."""
    if not os.path.exists(UV):
        return False
    stamp = VENV + "/ready-uv"
    if read(stamp) != fingerprint(UV):
        if subprocess.call([VENV + "/bin/python", *PIP, UV, "--only-binary=:all:"]):
            return False
        write(stamp, fingerprint(UV))
    return True


def install(requirements, stamp):
    if os.path.islink(VENV):
        target = os.path.realpath(VENV)
        raise SystemExit(
            f"{VENV} is a link to {target}, which has other libraries: remove the link"
        )
    python = VENV + "/bin/python"
    write(f"{VENV}/lib/python{python_version()}/site-packages/stages.pth", BEFORE_ALL)
    command = [VENV + "/bin/uv", "pip", "install", "--quiet", "--no-config"]
    command += ["--require-hashes", "--python", python, "-r", requirements]
    if not bring_uv() or subprocess.call(command, env=uv_environment()):
        print("Without uv: pip installs, which takes longer", flush=True)
        run(python, *PIP, requirements)
    for bundle in glob.glob(VENV + VEGA):
        remove(VENV + "/vega.js")
        os.symlink(os.path.relpath(bundle, VENV), VENV + "/vega.js")
    write(stamp, fingerprint(requirements))


def install_all():
    check_processor()
    ready = read(VENV + "/ready") == fingerprint("requirements.txt")
    if ready and os.access(VENV + "/bin/python", os.X_OK):  # unless its base Python went away
        return
    fit_python()
    print(
        "Installing what requirements.txt names into .venv: "
        "up to 390 MB to download, then half a minute",
        flush=True,
    )
    if fits():
        install("requirements.txt", VENV + "/ready")
    else:
        try:
            make_new()
            install("requirements.txt", VENV + "/ready")
        except BaseException:
            if os.path.lexists(OLD):
                remove(VENV)
                os.rename(OLD, VENV)
            raise
    remove(OLD)  # also one that a killed try left


def install_group(group):
    requirements, stamp = f"requirements-{group}.txt", f"{VENV}/ready-{group}"
    if not os.path.exists(requirements):
        raise SystemExit(f"expected a group with a file {requirements}; found none")
    if read(stamp) != fingerprint(requirements):
        install(requirements, stamp)


def main():
    parser = argparse.ArgumentParser(prog="python -m tools.environment", description=__doc__)
    parser.add_argument(
        "group",
        nargs="*",
        help="demo, dev, gpu, predict or sweep: what requirements-GROUP.txt names",
    )
    options = parser.parse_args()
    with open(LOCK, "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Waiting for another `make` that installs", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        install_all()
        for group in options.group:
            install_group(group)


if __name__ == "__main__":
    main()
