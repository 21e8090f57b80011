"""Builds sdist and wheel, and tries each in a clean environment outside the checkout (make packages).

The sdist holds every file of the repository but those of its hosting. The README's Python and the command
run from the wheel; the sdist's own tests run in the unpacked sdist: some of them, or all with ``--all``.
"""

import argparse
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from code_blocks import code_blocks

ROOT = Path(__file__).parent.parent
HOSTING = (".github/", ".gitignore", ".pre-commit-config.yaml")
SOME = ["tests/test_golden.py", "tests/selection", "tests/coreset", "tests/test_public_names.py"]


def run(*command, cwd=ROOT):
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run(list(map(str, command)), cwd=cwd, env=clean, check=True)


def tracked():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return {name for name in listed.stdout.splitlines() if not name.startswith(HOSTING)}


def build(out):
    """Paths of sdist and wheel, whose files are those of the repository."""
    run(sys.executable, "-m", "build", "--outdir", out)
    (sdist,), (wheel,) = out.glob("*.tar.gz"), out.glob("*.whl")
    run(sys.executable, "-m", "twine", "check", "--strict", sdist, wheel)
    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    if missing := tracked() - packed:
        sys.exit(f"the sdist lacks {sorted(missing)}: add them to MANIFEST.in")
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    of_package = {name for name in tracked() if name.startswith("d2pyg/")}
    if packed != of_package:
        sys.exit(f"the wheel and the package differ in {sorted(packed ^ of_package)}")
    return sdist, wheel


def environment(folder, torch, what):
    """The python of a new environment with one of the two in it."""
    run(sys.executable, "-m", "venv", folder)
    python = folder / "bin" / "python"
    run(python, "-m", "pip", "install", "-q", torch)
    run(python, "-m", "pip", "install", "-q", what)
    return python


def try_wheel(folder, torch, wheel):
    python = environment(folder / "wheel", torch, f"{wheel}[demo]")
    code = "".join(code for _, code in code_blocks(ROOT / "README.md", ["python"]))
    run(python, "-c", code + f"assert {str(folder)!r} in __import__('d2pyg').__file__", cwd=folder)
    run(python, "-c", "import numpy; numpy.save('x.npy', numpy.random.default_rng(0).normal(size=(99, 8)))",
        cwd=folder)  # fmt: skip
    command = python.with_name("d2pyg")
    run(command, "select", "x.npy", "--keep", "0.3", "--out", "kept.csv", cwd=folder)
    if not (folder / "kept.csv").stat().st_size:
        sys.exit("the command wrote nothing")


def try_sdist(folder, torch, sdist, tests):
    python = environment(folder / "sdist", torch, f"{sdist}[dev]")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (source,) = (folder / "unpacked").iterdir()
    run(python, "-m", "pytest", "-n", "2", "-p", "no:cacheprovider", *tests, cwd=source)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--torch", default="torch", help="the requirement to install first")
    parser.add_argument("--all", action="store_true", help="all tests of the sdist")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sdist, wheel = build(folder / "dist")
        try_wheel(folder, args.torch, wheel)
        try_sdist(folder, args.torch, sdist, ["tests"] if args.all else SOME)


if __name__ == "__main__":
    main()
