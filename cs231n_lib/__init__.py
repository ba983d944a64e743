"""The student's side of the course: data, kernels, checks and pictures. Holds no graded function."""
