"""What the engine said under the pack, as a table, JSON, JUnit XML and SARIF. Reads the engine's events only."""
