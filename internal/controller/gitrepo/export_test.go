package gitrepo

// What tests of this package look at beside its API.
var (
	Floats   = floats
	MayLogIn = mayLogIn
)
