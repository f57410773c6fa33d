"""Pictures and videos as files: pure functions that read, check, cut, convert and write them."""
