"""The command line `omniq-typed`: each module is one group of commands, or what they share."""
