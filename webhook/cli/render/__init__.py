"""How the verbs print: differences, JSON, annotations for code review."""
