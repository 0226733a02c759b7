"""
Run the tests of the sdist with the wheel installed: `scripts/test_wheel.py 3.12 [PYTEST OPTIONS]`.

scripts/check_wheel.py builds both into build/dist. The package is removed from the unpacked sdist,
so the tests can only import the wheel. Browser tests are left out, because they do not depend on
how the package was installed.
"""

import shutil
import sys
import tomllib
from pathlib import Path

import install_packages
import wheel_environment


def unpack_tests(folder: Path) -> Path:
    """Unpack the sdist without the package; return its folder."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.unpack_archive(wheel_environment.find_built(".tar.gz"), folder)
    (root,) = folder.iterdir()
    shutil.rmtree(root / "musicapi_nb")
    return root


def main() -> None:
    version, *options = sys.argv[1:]
    root = unpack_tests(wheel_environment.FOLDER / f"tests-{version}")
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = wheel_environment.find_built(".whl")
    python = wheel_environment.make_environment(
        f"dev-{version}",
        version,
        f"{wheel}{install_packages.EXTRAS['dev']}",
        *install_packages.requirements(project, "dev"),
    )
    suite = ("tests", "notebooks", "--ignore=tests/browser", "--nbval", "--nbval-current-env")
    wheel_environment.run_isolated(
        python, "-m", "pytest", *suite, "--nbval-cell-timeout=300", *options, cwd=root
    )


if __name__ == "__main__":
    main()
