"""Small programs to learn from; README.md says what each shows and how to run it."""
