"""Stands in the sandbox where a package of the grader's machine would be that an exercise must do without."""

raise ModuleNotFoundError(f"{__name__} is not available in this exercise: solve it with NumPy", name=__name__)
