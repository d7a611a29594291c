"""One reader a kind of file. Each turns bytes into lines of the one shape and names every defect by line and column."""
