"""All cases by name."""

from . import cases_compare, cases_files, cases_forge, cases_notebook, cases_own, cases_read, cases_resource
from .case import Case

CASES: dict[str, Case] = {
    **cases_compare.CASES,
    **cases_read.CASES,
    **cases_forge.CASES,
    **cases_resource.CASES,
    **cases_notebook.CASES,
    **cases_files.CASES,
    **cases_own.CASES,
}
