package renderer

// Confine is the filter itself, for a test program that tries to break out of it.
var Confine = confine
