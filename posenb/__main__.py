"""``python -m posenb`` is the command ``posenb``."""

from posenb.cli import main

main()
