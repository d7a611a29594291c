"""What providers and banks say happened: their files, read into lines of one shape."""
