"""Which files do the stages of a DVC project use that its dvc.yaml does not declare?

What does it declare in vain? For any project: this file needs no other, only DVC and strace.
It runs the stages in a temporary copy, sees which files they open, in any language, and prints
what it found, with a patch for `git apply`; status 1 if anything. A file .declaredignore holds
patterns of what to leave out.
"""

import argparse
import contextlib
import difflib
import fcntl
import importlib.util
import json
import logging
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from dvc.stage import Stage

STRACE = "strace -D -ff -qz -y --seccomp-bpf -e signal=none -e trace=?open,openat,?openat2,execve"
OPENED = re.compile(r"^open\w*\(.*[ =](O_[\w|]+).* = \d+<(.*)>$", re.MULTILINE)
STARTED = re.compile(r'^execve\("(.*?)", \[', re.MULTILINE)
FOLDER = re.compile(r"AT_FDCWD<(.*?)>")
ENDED = re.compile(r"^\+\+\+", re.MULTILINE)
HIDDEN = {".git", ".dvc", "__pycache__"}
LIBRARIES = {"node_modules", "packrat", "renv"}
OWN = ["*dvc.yaml", "*dvc.lock", "*.dvc", "*.dvcignore", "*.gitignore", "*.gitattributes"]
SYSTEM = ["/dev", "/etc", "/lib", "/proc", "/sys", "/usr", sys.prefix, sys.base_prefix]
TEXT: Any = {"text": True, "errors": "surrogateescape"}  # a name may be any bytes
MANY = 20  # more files of one folder are named by the folder
WORDS = {"+deps": "reads", "+outs": "writes", "-deps": "declares and does not open"}


class Finding(NamedTuple):
    """An entry that a list of a stage lacks (+) or has in vain (-)."""

    sign: str
    kind: str  # deps or outs
    path: str  # relative to the stage's wdir


def say(text: str) -> None:
    print(f"declared: {text}", file=sys.stderr, flush=True)


def shown(path: str) -> str:
    """A path in one line."""
    return path if path.isprintable() else ascii(path)


def git(folder: str, *command: str, given: Iterable[str] = ()) -> list[str]:
    """Return the paths that Git answers with; none where there is no repository."""
    whole = ["git", "-C", folder, *command]
    done = subprocess.run(whole, input="\0".join(given), capture_output=True, **TEXT)
    return re.findall(r"[^\0\n]+", done.stdout)


def inside(path: str, places: Iterable[str]) -> bool:
    return any(path == place or path.startswith(f"{place}/") for place in places)


def unescaped(text: str) -> str:
    """Undo what strace does to letters beyond ASCII."""
    return os.fsdecode(text.encode().decode("unicode_escape").encode("latin1"))


# --- the copy ---


def is_library(folder: str) -> bool:
    marks = [f"{folder}/pyvenv.cfg", f"{folder}/conda-meta"]
    return os.path.basename(folder) in LIBRARIES or any(map(os.path.exists, marks))


def copy_project(top: str, copy: str) -> None:
    """Copy all but DVC's cache; link libraries, and what links name outside of the project."""
    plain = []
    for folder, names, files in os.walk(top):
        os.mkdir(copy + folder[len(top) :])
        if os.path.basename(folder) == ".dvc":
            names[:] = [name for name in names if name not in ("cache", "tmp")]
        for source in [f"{folder}/{name}" for name in names + files]:
            target = os.path.realpath(source)
            if os.path.islink(source) and inside(target, [top]) and "/.dvc/" not in target:
                target = copy + target[len(top) :]
            if os.path.islink(source) or is_library(source):
                os.symlink(target, copy + source[len(top) :])
            elif os.path.isfile(source):
                plain.append(f".{source[len(top) :]}")
        names[:] = [name for name in names if not is_library(f"{folder}/{name}")]
    # where the file system can share blocks, this takes no space
    cp = ["xargs", "-0", "cp", "--archive", "--reflink=auto", "--parents", "--target-directory"]
    whole = "\0".join(plain)
    done = subprocess.run([*cp, copy], cwd=top, input=whole, stderr=subprocess.PIPE, **TEXT)
    if done.returncode:
        raise OSError(done.stderr.partition("\n")[0])


def tidy(tmp: str) -> Iterator[str]:
    """Remove the copies of runs that were killed, and yield them: a living one holds its lock."""
    for path in Path(tmp).glob("declared-*"):
        folder = os.open(path, os.O_RDONLY)
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
            yield str(path)
        os.close(folder)


class Workspace:
    """A copy of a project, below a folder, where stages run and are watched."""

    def __init__(self, top: str, folder: str, start: str) -> None:
        self.top, self.root, self.traces = top, f"{folder}/copy", Path(folder, "traces")
        copy_project(top, self.root)
        # DVC starts each command by the shell in $SHELL: here, by one that is watched
        shell = os.environ.get("SHELL") or "/bin/sh"
        watched = Path(folder, os.path.basename(shell))
        options = shlex.join(["-E", f"SHELL={shell}", "-o", f"{self.traces}/trace", shell])
        watched.write_text(f'#!/bin/sh\nexec {STRACE} {options} "$@" >&2\n')
        watched.chmod(0o755)
        os.environ |= {"SHELL": str(watched), "PYTHONDONTWRITEBYTECODE": "1"}
        os.environ |= {"DVC_SITE_CACHE_DIR": f"{folder}/site"}
        os.chdir(self.root + start[len(top) :])

        from dvc.repo import Repo

        self.repo = Repo(config={"core": {"autostage": False}})
        allowed = Path(self.repo.root_dir, ".declaredignore")
        self.ignored = OWN + (allowed.read_text().splitlines() if allowed.exists() else [])
        links = [path for path in self.files() if os.path.islink(f"{self.root}/{path}")]
        targets = {os.path.realpath(f"{self.root}/{path}"): path for path in links}
        self.links = {to: path for to, path in targets.items() if not inside(to, [self.root])}

    def files(self) -> dict[str, tuple[int, ...]]:
        """Return what tells whether a file was written, by its path; a link is a file."""
        found: dict[str, tuple[int, ...]] = {}
        for folder, names, files in os.walk(self.root):
            names[:] = [n for n in names if n not in HIDDEN and not is_library(f"{folder}/{n}")]
            links = [name for name in names if os.path.islink(f"{folder}/{name}")]
            for name in links + files:
                stat = os.lstat(f"{folder}/{name}")
                path = os.path.relpath(f"{folder}/{name}", self.root)
                found[path] = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        return found

    def place(self, path: str) -> str:
        """Return where in the project a full path leads; the path as it is, if outside."""
        if "/__pycache__/" in path:  # Python opens this in the place of a source
            with contextlib.suppress(ValueError):
                path = importlib.util.source_from_cache(path)
        for up in [path, *map(str, Path(path).parents)]:
            if up in self.links:
                return self.links[up]
        for root in (self.root, self.top):
            if inside(path, [root]):
                return os.path.relpath(path, root)
        return path

    def places(self, entries: Iterable[Any]) -> dict[str, Any]:
        local = [entry for entry in entries if entry.protocol == "local"]
        return {self.place(os.path.realpath(entry.fs_path)): entry for entry in local}

    def tells(self, path: str) -> bool:
        """Is the path to be told of?"""
        full = f"{self.root}/{path}"
        name = os.path.relpath(full, self.repo.root_dir)
        matches = any(fnmatch(name, pattern) for pattern in self.ignored)
        return not matches and not self.repo.dvcignore.is_ignored_file(full)

    def opened(self, wdir: str) -> set[str]:
        """Return all that was opened to be read, or started."""
        found = set()
        for trace in self.traces.iterdir():
            text = trace.read_text()
            for flags, path in OPENED.findall(text):
                if not {"O_PATH", "O_WRONLY"} & set(flags.split("|")):
                    found.add(unescaped(path))
            for folder in {wdir, *map(unescaped, FOLDER.findall(text))}:
                for path in STARTED.findall(text):
                    found.add(os.path.realpath(os.path.join(folder, unescaped(path))))
        return set(map(self.place, found))

    def end_what_still_runs(self) -> None:
        """End what a stage left running: its files will be gone."""
        for _ in range(20):  # strace notes an end a bit later than DVC
            traces = [each for each in self.traces.iterdir() if not ENDED.search(each.read_text())]
            if not traces:
                return
            time.sleep(0.05)
        say(f"it left processes running, which were ended: {len(traces)}")
        for trace in traces:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(trace.suffix[1:]), signal.SIGKILL)

    def run(self, stage: "Stage") -> tuple[set[str], set[str], set[str]]:
        """Return what a stage opened, and which of the project's files it read and wrote."""
        shutil.rmtree(self.traces, ignore_errors=True)
        self.traces.mkdir()
        before = self.files()
        self.repo.reproduce(stage.addressing, single_item=True, force=True, no_commit=True)
        self.end_what_still_runs()
        after, opened = self.files(), self.opened(stage.wdir)
        read = {path for path in opened if path in before and before[path] == after.get(path)}
        written = {path for path in after if after[path] != before.get(path)}
        return opened, set(filter(self.tells, read)), set(filter(self.tells, written))


# --- the stages ---


def named(paths: Iterable[str], wholes: Collection[str]) -> set[str]:
    """Name a file by the output that holds it, and many files of one folder by the folder."""
    names = {next((whole for whole in wholes if inside(path, [whole])), path) for path in paths}
    sizes = Counter(map(os.path.dirname, names))
    folders = [folder for folder, size in sizes.items() if folder and size > MANY]
    return {next((folder for folder in folders if inside(name, [folder])), name) for name in names}


def findings(stage: "Stage", here: Workspace, outside: bool) -> Iterator[Finding]:
    """Run a stage; yield in what it does not do as it declares."""
    from dvc.dependency import ParamsDependency

    opened, read, written = here.run(stage)
    deps, outs = here.places(stage.deps), here.places(stage.outs)
    everyones = here.places(here.repo.index.outs)
    ignored = git(here.root, "check-ignore", "--stdin", "-z", given=written)
    scratch = {path for path in ignored if not inside(path, everyones)}
    read = {path for path in read if not inside(path, [*deps, *outs])}
    written = {path for path in written - scratch if not inside(path, outs)}
    for kind, paths in (("deps", named(read, everyones)), ("outs", named(written, []))):
        for path in paths:
            yield Finding("+", kind, os.path.relpath(f"{here.root}/{path}", stage.wdir))
    for place, dep in deps.items():
        is_used = any(inside(path, [place]) for path in opened)
        if here.tells(place) and not is_used and not isinstance(dep, ParamsDependency):
            yield Finding("-", "deps", dep.def_path)
    for path in sorted(opened if outside else []):
        if os.path.isabs(path) and os.path.isfile(path) and not inside(path, SYSTEM):
            print(f"{stage.addressing} reads {shown(path)}, outside of the project")


# --- the patch ---


def end(lines: list[str], line: int, column: int) -> int:
    """Return the line after the entry that begins on this line, in this column."""
    for at in range(line + 1, len(lines)):
        rest = lines[at].lstrip()
        indent = len(lines[at]) - len(rest)
        if not rest or indent < column or (indent == column and not rest.startswith("- ")):
            return at
    return len(lines)


def written(path: str) -> str:
    """A path as YAML."""
    simple = re.fullmatch(r"[\w./]([\w./+=@ -]*[\w/+=-])?", path)
    return path if simple else json.dumps(path, ensure_ascii=False)


def edited(text: str, name: str, finding: Finding, by_git: bool) -> str:
    """Return a dvc.yaml with an entry more or less; ValueError where it has no such line."""
    from ruamel.yaml import YAML

    sign, kind, path = finding
    lines = text.splitlines(keepends=True)
    block = YAML().load(text)["stages"][name]
    block = block.get("do", block)
    entries = block.get(kind, [])
    key, last = block.lc.key(kind if entries else "cmd"), len(entries) - 1
    if entries and entries.fa.flow_style():
        if by_git or not all(isinstance(each, str) for each in entries):
            raise ValueError
        paths = [*entries, path] if sign == "+" else [each for each in entries if each != path]
        before, _, after = lines[key[0]].partition("[")
        lines[key[0]] = f"{before}[{', '.join(map(written, paths))}]{after.partition(']')[2]}"
    elif sign == "-":
        place = entries.lc.item(entries.index(path)) if last else key
        del lines[place[0] : end(lines, *place)]
    else:
        margin = " " * (entries or block).lc.col
        new = f"{margin}- {written(path)}\n"
        if by_git:
            new = f"{margin}- {written(path)}:\n{margin}    cache: false\n"
        at = end(lines, *(entries.lc.item(last) if entries else key))
        lines.insert(at, new if entries else f"{margin}{kind}:\n{new}")
    return "".join(lines)


def entries_by_dvc() -> dict[tuple[str, str], Counter[str]]:
    """Return the deps and outs of each stage; DvcException where DVC refuses a dvc.yaml."""
    from dvc.repo import Repo

    with Repo() as repo:
        repo.index.check_graph()
        return {
            (stage.addressing, kind): Counter(entry.def_path for entry in getattr(stage, kind))
            for stage in repo.index.stages
            for kind in ("deps", "outs")
        }


def changed(stages: "list[Stage]", finding: Finding) -> str:
    """Change an entry in the copy's dvc.yaml; return why not, where that cannot be done."""
    from dvc.exceptions import DvcException

    sign, kind, path = finding
    file, name = Path(stages[0].path), stages[0].name.split("@")[0]
    by_git = kind == "outs" and git(stages[0].wdir, "ls-files", "--", path) != []
    expected, text = entries_by_dvc(), file.read_text()
    for stage in stages:
        expected[stage.addressing, kind][path] += 1 if sign == "+" else -1
    why = "it is made from a template, or not on a line of its own"
    try:
        file.write_text(edited(text, name, finding, by_git))
        if entries_by_dvc() == expected:
            return ""
    except (AttributeError, ValueError):
        pass
    except DvcException as error:
        first, *others = str(error).splitlines()  # the others name stages, in any order
        why = f"DVC would refuse it: {' '.join([first, *map(str.strip, sorted(others))])}"
    file.write_text(text)
    return why


def explain(found: dict[str, set[Finding]], all_stages: "Iterable[Stage]") -> None:
    """Print each finding, by stage, after a try to change the copy's dvc.yaml by it."""
    groups = defaultdict(list)
    for stage in all_stages:
        if stage.cmd:
            groups[stage.path, stage.name.split("@")[0]].append(stage)
    for stages in groups.values():
        each = [found.get(stage.addressing, set()) for stage in stages]
        whys = {finding: changed(stages, finding) for finding in sorted(set.intersection(*each))}
        for stage, its in zip(stages, each):
            for finding in sorted(its):
                why = whys.get(finding, "it is not so of all that its template makes")
                note = f" (not in the patch: {why})" if why else ""
                words = WORDS[finding.sign + finding.kind]
                print(f"{stage.addressing} {words} {shown(finding.path)}{note}")


def patch(old: str, new: str, name: str) -> Iterator[str]:
    before, after = (Path(path).read_text().splitlines(keepends=True) for path in (old, new))
    for line in difflib.unified_diff(before, after, f"a/{name}", f"b/{name}"):
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


# --- the whole ---


def look(here: Workspace, names: list[str], outside: bool) -> bool:
    """Run stages of the copy and print what is found; return whether anything was."""
    import networkx
    from dvc.exceptions import DvcException

    logging.getLogger("dvc").setLevel(logging.WARNING)  # what it tells would be in the patch
    index = here.repo.index
    wanted = {stage for name in names or [""] for stage in here.repo.stage.collect(name)}
    wanted = {stage for stage in wanted if stage.cmd and not stage.frozen}
    found: dict[str, set[Finding]] = {}
    for stage in networkx.dfs_postorder_nodes(index.graph):
        if stage in wanted:
            say(f"runs {stage.addressing} in a copy of the project")
            try:
                found[stage.addressing] = set(findings(stage, here, outside))
            except DvcException as error:
                say(f"{error}: {error.__cause__}; of this and later stages nothing is told")
                break
    explain(found, index.stages)
    for file in sorted({os.path.relpath(stage.path, here.root) for stage in wanted}):
        sys.stdout.writelines(patch(f"{here.top}/{file}", f"{here.root}/{file}", file))
    return any(found.values()) or len(found) < len(wanted)


def main() -> None:
    prog = f"python -m {__spec__.name}" if __spec__ else None
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    parser.add_argument("stages", nargs="*", help="as `dvc repro` takes them (default: all)")
    parser.add_argument("--project", default=".", help="a folder in it (default: this one)")
    parser.add_argument("--outside", action="store_true", help="tell files outside of it, too")
    options = parser.parse_args()
    if not shutil.which("strace"):
        raise SystemExit("declared: expected the program strace, found none: apt install strace")
    try:
        from dvc.exceptions import DvcException
        from dvc.repo import Repo
    except ImportError:
        raise SystemExit(f"declared: expected DVC in {sys.prefix}, found none") from None
    try:
        start = os.path.realpath(options.project)
        root = Repo.find_root(start)
        [top] = git(root, "rev-parse", "--show-toplevel") or [root]
        os.makedirs(f"{root}/.dvc/tmp", exist_ok=True)
        list(tidy(f"{root}/.dvc/tmp"))
        with tempfile.TemporaryDirectory(prefix="declared-", dir=f"{root}/.dvc/tmp") as folder:
            fcntl.flock(os.open(folder, os.O_RDONLY), fcntl.LOCK_EX)
            here = Workspace(top, folder, start)
            raise SystemExit(look(here, options.stages, options.outside))
    except (DvcException, OSError) as error:
        raise SystemExit(f"declared: {error}") from None


if __name__ == "__main__":
    main()
