"""The instructor's side: build, release, grade and report."""
