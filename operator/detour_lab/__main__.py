"""`python -m detour_lab`."""

from detour_lab.main import main

if __name__ == "__main__":
    main()
