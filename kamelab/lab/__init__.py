"""Lab files, sessions with their journal, tasks and checks."""
