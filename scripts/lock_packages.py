"""
Write requirements/dev.txt: the newest versions of all packages that pyproject.toml allows today.

One file serves Python 3.11 and newer on Linux, macOS and Windows: lines with a marker are for some
of them. Versions come from PyPI whatever pip and uv are configured to use here, so that the file is
right elsewhere too. It has no hashes, because pip cannot check those of an editable package.
"""

import os
import subprocess
import sys
import tomllib

import install_packages


def main() -> None:
    install_packages.make_environment()  # for uv, if there is none on PATH
    uv = install_packages.find_uv()
    if not uv:
        sys.exit("make lock needs uv: https://docs.astral.sh/uv/")
    project = tomllib.loads((install_packages.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = [f"--group={name}" for name in project["dependency-groups"]]
    variables = {name: text for name, text in os.environ.items() if not name.startswith("UV_")}
    process = install_packages.run(
        *(uv, "pip", "compile", "pyproject.toml", "--all-extras", *groups),
        *("--universal", "--python-version=3.11", "--upgrade"),
        *("--no-config", "--default-index=https://pypi.org/simple"),
        *("--no-annotate", "--custom-compile-command=make lock"),
        *("--quiet", f"--output-file={install_packages.LOCK}"),
        f"--cache-dir={install_packages.CACHE}",
        env=variables,
        stdout=subprocess.DEVNULL,
    )
    if process.returncode:
        sys.exit("requirements/dev.txt is as it was; the lines above say why.")


if __name__ == "__main__":
    main()
