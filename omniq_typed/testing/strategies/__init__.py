"""From the core schema of a type to Hypothesis strategies of the JSON that its reader takes."""
