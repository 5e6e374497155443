"""`python -m webhook` is `initject`."""

from __future__ import annotations

from webhook.cli import main

if __name__ == "__main__":
    main.main()
