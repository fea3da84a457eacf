"""What a user installs works away from the checkout: the wheel carries code, types, licence and labs.

The wheel is built by way of the source distribution, so that both are shown to be whole.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).resolve().parent.parent

# One worker builds; the others have better things to do.
pytestmark = pytest.mark.xdist_group("wheel")


def call(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Standard output of a command that must succeed."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, env={**os.environ, **environment})
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the source distribution, built from this tree."""
    out = tmp_path_factory.mktemp("dist")
    call(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ROOT, cwd=out)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with only kamelab installed; its dependencies come from the running environment."""
    target = tmp_path_factory.mktemp("site")
    pip = (sys.executable, "-m", "pip", "--quiet", "install", "--no-deps", "--no-index", "--target", target, wheel)
    call(*pip, cwd=target)
    return target


def test_wheel_carries_labs_types_and_licence(wheel: Path) -> None:
    """Every lab goes into the wheel byte for byte; tests and tools stay out; the extras stay extras."""
    with ZipFile(wheel) as archive:
        names = archive.namelist()
        for lab in sorted((ROOT / "labs").glob("*.toml")):
            assert archive.read(f"kamelab/_labs/{lab.name}") == lab.read_bytes()
        (metadata,) = (archive.read(name).decode() for name in names if name.endswith(".dist-info/METADATA"))
    assert "kamelab/py.typed" in names
    assert any(name.endswith("/licenses/LICENSE") for name in names)
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"kamelab"}
    assert "License-Expression: BSD-3-Clause" in metadata
    needs = [line for line in metadata.splitlines() if line.startswith("Requires-Dist:") and "extra ==" not in line]
    assert needs
    assert not [line for line in needs if "scapy" in line or "pytun" in line]


def test_installed_program_lists_its_labs(site: Path, tmp_path: Path) -> None:
    """`kamelab list`, far from the checkout, lists the labs of the wheel: also one that only its folder holds."""
    shutil.copy(site / "kamelab" / "_labs" / "00-demo.toml", site / "kamelab" / "_labs" / "99-only-here.toml")
    where = "import kamelab; print(kamelab.__file__)"
    loaded = Path(call(sys.executable, "-c", where, cwd=tmp_path, PYTHONPATH=str(site)).strip())
    assert loaded.is_relative_to(site)
    listed = call(sys.executable, "-m", "kamelab", "list", cwd=tmp_path, PYTHONPATH=str(site))
    assert "demo" in listed
    assert "only-here" in listed
    assert call(site / "bin" / "kamelab", "list", cwd=tmp_path, PYTHONPATH=str(site)) == listed
