"""``python -m truthound``: the command line."""

from truthound.cli import main

if __name__ == "__main__":
    main()
