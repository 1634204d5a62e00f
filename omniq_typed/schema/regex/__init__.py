"""Regular expressions: texts that match them, and proofs that one follows from others."""
