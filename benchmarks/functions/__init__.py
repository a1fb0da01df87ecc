"""Lambda functions as they are written by hand, packed and started beside the compiled ones by `benchmarks.init`."""
