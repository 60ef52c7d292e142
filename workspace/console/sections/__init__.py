"""What each section of the console shows: typed, chosen field by field, so that nothing secret slips through."""
