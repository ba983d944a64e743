"""What runs within a sandbox's walls, on the standard library and cs231n_lib.check alone. The grader imports only its
constants; everything that comes out of here is checked again outside."""
