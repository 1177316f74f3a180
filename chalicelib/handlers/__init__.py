"""The entry floor: one module per context, each a set of routes and background Lambdas."""
