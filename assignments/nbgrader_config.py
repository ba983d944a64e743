"""nbgrader's options for this course. `cs231n` loads this file too and adds the paths of the course folder."""

import uuid

from nbgrader.converters import GenerateAssignment

from autograder.build import ClearSolutionsKindly
from autograder.late import LateDays

c = get_config()  # noqa: F821 nbgrader provides it
c.CourseDirectory.course_id = "cs231n"
c.ClearSolutions.code_stub = {"python": 'raise NotImplementedError("write your code here, then delete this line")'}
c.GenerateAssignment.preprocessors = [
    ClearSolutionsKindly if stage.__name__ == "ClearSolutions" else stage
    for stage in GenerateAssignment.preprocessors.default()
]
c.ClearSolutions.text_stub = "*Your answer here.*"
# A student can tag a test cell "skip-execution"; nbclient skips cells with a tag, and nbgrader gives a cell without
# output full marks. A tag that nobody can guess closes this.
c.Execute.skip_cells_with_tag = uuid.uuid4().hex
c.Execute.timeout = 120
c.Execute.shutdown_kernel = "immediate"
# nbgrader gives 0 to a test cell that wrote anything to stderr, a warning or a progress bar included.
c.IgnorePattern.enabled = True
c.IgnorePattern.pattern = r"Warning|\d+%\|"
c.LimitOutput.max_lines = 200
c.LimitOutput.max_traceback = 50
c.OverwriteCells.add_missing_cells = True
c.HTMLExporter.sanitize_html = True
# Takes off nothing until a course folder has a late.toml; see autograder/late.py.
c.AssignLatePenalties.plugin_class = LateDays
