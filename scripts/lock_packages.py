"""
Write the newest versions of all packages that pyproject.toml allows into requirements/dev.txt.

One file is for Python 3.11 and newer on Linux, macOS and Windows; lines with a marker are for some
of them. Versions always come from PyPI, even if pip and uv are configured to use other indexes, so
that the file works on other machines. It has no hashes, because pip cannot check an editable
package.
"""

import os
import subprocess
import sys
import tomllib

import install_packages


def main() -> None:
    install_packages.make_environment()  # find_uv may install uv into it
    uv = install_packages.find_uv()
    if not uv:
        sys.exit("make lock needs uv: install it from https://docs.astral.sh/uv/")
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
        sys.exit("requirements/dev.txt was not changed; the lines above say why.")


if __name__ == "__main__":
    main()
