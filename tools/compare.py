"""make compare BASE=main: what this checkout changes against another commit, as Markdown: metrics, parameters, figures.

The GitHub workflow posts it under a pull request, where the figures that differ are shown as they were and as they are.
"""

import os
import subprocess
import sys


def run(*command: str) -> str:
    """Return what a program printed; SystemExit where it failed."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"compare: {' '.join(command)} ended with status {done.returncode}")
    return done.stdout.strip()


def figures(base: str) -> str:
    """A table of the figures that differ, uncommitted ones included, as DVC compares metrics and parameters."""
    paths = run("git", "diff", "--name-only", base, "--", "reports/figures").splitlines()
    repository = os.environ.get("GITHUB_REPOSITORY", "")
    commits = [f"https://github.com/{repository}/raw/{run('git', 'rev-parse', name)}" for name in (base, "HEAD")]
    rows = [[f"![]({commit}/{path})" if repository else path for commit in commits] for path in paths]
    return "\n".join(f"| {' | '.join(row)} |" for row in ([base, "now"], ["---", "---"], *rows))


def main() -> None:
    base = sys.argv[1] if len(sys.argv) > 1 else "main"
    parts = {
        "Metrics": run("dvc", "metrics", "diff", "--md", base),
        "Parameters": run("dvc", "params", "diff", "--md", base),
        "Figures": figures(base),
    }
    for title, table in parts.items():
        rows = table.splitlines()[2:]
        print(f"## {title}\n\n{table if rows else f'as in {base}'}\n")


if __name__ == "__main__":
    main()
