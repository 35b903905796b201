"""What this checkout changes against another commit, as Markdown: metrics, parameters, figures.

The GitHub workflow posts it under a pull request, where the figures that differ are shown as they
were and as they are.
"""

import argparse
import os
from urllib.parse import quote

from tools import commands, why

FIGURES = "reports/figures"


def commit_of(base: str) -> str:
    """The commit that Git, or else an experiment, calls so; SystemExit where there is none."""
    in_git = commands.answer("git", "rev-parse", "--verify", "--quiet", f"{base}^{{commit}}")
    named = ["git", "for-each-ref", "--format=%(objectname)", f"refs/exps/*/*/{base}"]
    found = in_git or commands.output(*named)
    if not found:
        raise SystemExit(f"compare: expected a commit, a branch or an experiment; found {base}")
    return found.split()[0]


def figures(base: str, commit: str) -> str:
    """A table of the figures that differ, uncommitted ones included, as DVC's tables have them."""
    changed = "git", "diff", "--name-only", "-z", commit, "--", FIGURES
    added = "git", "ls-files", "--others", "--exclude-standard", "--full-name", "-z", "--", FIGURES
    names = [name for each in (changed, added) for name in commands.output(*each).split("\0")]
    paths = list(filter(None, names))
    repository = os.environ.get("GITHUB_REPOSITORY")
    if not repository:
        return "\n".join(["| figure |", "| --- |", *(f"| {path} |" for path in paths)])
    lines = [f"| {base} | now |", "| --- | --- |"]
    hashes = [commands.output("git", "rev-parse", revision) for revision in (commit, "HEAD")]
    for path in paths:
        links = [f"https://github.com/{repository}/raw/{sha}/{quote(path)}" for sha in hashes]
        lines.append(f"| ![]({links[0]}) | ![]({links[1]}) |")
    return "\n".join(lines)


def section(title: str, table: str, base: str) -> str:
    """A heading and a table, or that nothing differs where it has no rows."""
    rows = table.splitlines()[2:]
    return f"## {title}\n\n{table if rows else f'as in {base}'}\n"


def outdated() -> list[str]:
    """The stages for which `dvc repro` has something to do."""
    from dvc.exceptions import DvcException  # late: slow
    from dvc.repo import Repo

    try:
        with Repo() as repo:
            explanations = why.explain_all(repo, allow_missing=True)
    except DvcException as error:
        raise SystemExit(f"compare: {error}") from None
    return [each.stage for each in explanations if each.state != why.UP_TO_DATE]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.compare", description=__doc__)
    parser.add_argument(
        "base", nargs="?", default="main", help="a commit, branch or experiment (main)"
    )
    base = parser.parse_args().base

    from digits import params  # late: pydantic

    commit = commit_of(base)
    commands.end_with_reader()
    params.read()  # of Git's marks of a conflict, DVC would make a table
    metrics = commands.output("dvc", "metrics", "diff", "--md", base)
    if stages := outdated():
        print(f"Not up to date: {', '.join(stages)}. What they make is from an earlier run.")
        print("To update it: dvc repro.\n")
    print(section("Metrics", metrics, base))
    print(section("Parameters", commands.output("dvc", "params", "diff", "--md", base), base))
    print(section("Figures", figures(base, commit), base))


if __name__ == "__main__":
    main()
