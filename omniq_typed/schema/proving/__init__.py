"""Proofs that a reader takes all that a writer writes."""
