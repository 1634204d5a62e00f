"""`python -m omniq_typed`: the command line."""

from omniq_typed.cli.main import main

if __name__ == "__main__":
    main()
