"""
Build the sdist and the wheel into build/dist, check them, and use the wheel as users do.

The wheel is built from the sdist. The script checks pyproject.toml, the conda recipe, the metadata,
the files of the wheel, and the description as PyPI renders it (build/dist-description.html). It
then installs the wheel and runs a script, type checkers and notebooks.
"""

import shutil
import subprocess
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path

import rattler_build
import readme_renderer.markdown
import wheel_environment

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "build" / "dist"
_TYPES = ("mypy", "pandas-stubs", "pyright")
_PAGE = """\
<!doctype html><meta charset="utf-8"><title>{name}</title>
<style>body {{ font: 16px/1.5 sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem }}
img {{ max-width: 100% }} pre {{ background: #eee; padding: 1rem; overflow: auto }}</style>
{html}
"""


def _run(*command: str | Path) -> None:
    print("$", *command, flush=True)
    subprocess.run([str(part) for part in command], cwd=ROOT, check=True)  # noqa: S603 - our tools


def _write_description(wheel: Path) -> None:
    """Write the description as a page, rendered as on PyPI; exit if it cannot be rendered."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = message_from_bytes(archive.read(name))
    text = metadata.get_payload(decode=True)
    html = readme_renderer.markdown.render(text.decode()) if isinstance(text, bytes) else None
    if not html:
        sys.exit("The description cannot be rendered.")
    page = DIST.with_name("dist-description.html")
    page.write_text(_PAGE.format(name=wheel.name, html=html), encoding="utf-8")


def _check_installed(wheel: Path) -> None:
    """Run a script without extras, type checkers on a script, and notebooks with all extras."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    tests = ROOT / "tests"
    core = wheel_environment.make_environment("core", python, f"{wheel}")
    wheel_environment.run_isolated(core, tests / "wheel" / "core_session.py")
    typed = wheel_environment.make_environment("types", python, f"{wheel}", *_TYPES)
    scripts = [tests / "typing" / f"user_{name}.py" for name in ("script", "mistakes")]
    # Copies in another folder, because type checkers treat those in `tests` as part of the
    # checkout.
    folder = wheel_environment.FOLDER / "scripts"
    folder.mkdir(exist_ok=True)
    copies = [shutil.copy(script, folder) for script in scripts]
    for checker in (("mypy", "--strict"), ("pyright", "--warnings")):
        wheel_environment.run_isolated(typed, "-m", *checker, *copies, cwd=folder)
    notebooks = wheel_environment.make_environment(
        "notebooks", python, f"{wheel}[all]", "papermill", "voila"
    )
    script = tests / "wheel" / "notebook_tools.py"
    wheel_environment.run_isolated(notebooks, script, ROOT / "notebooks")


def main() -> None:
    shutil.rmtree(DIST, ignore_errors=True)
    tool = (sys.executable, "-m")
    _run(*tool, "validate_pyproject", "pyproject.toml")
    recipe = (ROOT / "packaging" / "conda" / "recipe.yaml").read_text(encoding="utf-8")
    rattler_build.Stage0Recipe.from_yaml(recipe).render()
    _run(*tool, "build", "--outdir", DIST)
    (wheel,), (sdist,) = DIST.glob("*.whl"), DIST.glob("*.tar.gz")
    _run(*tool, "twine", "check", "--strict", wheel, sdist)
    _run(*tool, "check_wheel_contents", wheel)
    # The developers have no common e-mail address; check_release.py checks that of the repository.
    _run(*tool, "pyroma", "--quiet", "--min=10", "--skip-tests=AuthorEmail,Url", sdist)
    _write_description(wheel)
    _check_installed(wheel)
    for file in (wheel, sdist):
        print(f"{file.relative_to(ROOT)}: {file.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
