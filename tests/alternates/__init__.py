"""Right answers written as hardly anybody would write them, one module for each notebook."""
