"""`python -m kamelab` is the `kamelab` command."""

from __future__ import annotations

from kamelab.cli import main

if __name__ == "__main__":
    main(prog_name="kamelab")
