"""What is installed from the wheel: the product alone, without its lab and its simulation."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_wheel_carries_the_product_and_nothing_else(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=60)
    [wheel] = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {"detour", "detour_operator-0.1.0.dist-info"}
    [commands] = [name for name in names if name.endswith("entry_points.txt")]
    assert "detour_lab" not in zipfile.ZipFile(wheel).read(commands).decode()
