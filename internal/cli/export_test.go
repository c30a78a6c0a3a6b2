package cli

// SeverityOn is a severity as it is printed to a terminal, or elsewhere.
func SeverityOn(terminal bool, word string) string { return ink{terminal}.severity(word) }
