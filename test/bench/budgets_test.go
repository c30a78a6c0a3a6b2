package bench_test

// none stands for a budget or limit that was not set.
const none = -1

// budget is what a row is compared with. Times have no limit: they speak of the
// machine. Limits leave headroom over what is measured, and are lowered with it.
type budget struct {
	fleet  string
	budget float64
	limit  float64
}

// budgets by row.
func budgets() map[string]budget {
	return map[string]budget{
		"one line in a one-bundle repository: push to applied, 1 cluster":                   {"0.54-0.58 s", 0.2, none},
		"one line in a one-bundle repository: push to applied, 3 clusters":                  {"0.85-0.93 s", 0.3, none},
		"one line in a one-bundle repository, default rollout: push to applied, 1 cluster":  {"0.54-0.58 s", 0.2, none},
		"one line in a one-bundle repository, default rollout: push to applied, 3 clusters": {"0.85-0.93 s", 0.3, none},
		"one line in a one-bundle repository: hub requests, 1 cluster":                      {"41-46", 8, 12},
		"one line in a one-bundle repository: downstream requests, 1 cluster":               {"47", 3, 4},

		"50 bundles new: last object, 3 clusters":         {"26.9 s", 2.5, none},
		"50 bundles new: last status, 3 clusters":         {"42.9 s", 3.5, none},
		"50 bundles new: hub requests, 3 clusters":        {"3,089", 250, 375},
		"50 bundles new: downstream requests, 3 clusters": {"6,647", 1800, 2000},

		"one line in 1 of 50 bundles: push to applied, 3 clusters":     {"2.7 s", 0.3, none},
		"one line in 1 of 50 bundles: hub requests, 3 clusters":        {"622", 12, 18},
		"one line in 1 of 50 bundles: downstream requests, 3 clusters": {"876", 9, 12},

		"one line in each of 50 bundles: last object, 3 clusters": {"30.6 s", 1.5, none},
		"one line in each of 50 bundles: last status, 3 clusters": {"47.1 s", 2.5, none},

		"a commit that changes no bundle: hub writes, 1 cluster":           {"every Bundle and BundleDeployment", 1, 2},
		"a commit that changes no bundle: hub writes, 3 clusters":          {"every Bundle and BundleDeployment", 1, 2},
		"a commit that changes no bundle: downstream requests, 1 cluster":  {"", 0, 0},
		"a commit that changes no bundle: downstream requests, 3 clusters": {"", 0, 0},

		"object deleted on a cluster: reported, 3 clusters":  {"5.0 s", 0.5, none},
		"object deleted on a cluster: corrected, 3 clusters": {"5.1 s", 1, none},

		"50 bundles new: hub requests, 1 cluster":                              {"", none, 300},
		"50 bundles new: downstream requests, 1 cluster":                       {"", none, 650},
		"one line in a one-bundle repository: hub requests, 3 clusters":        {"", none, 16},
		"one line in a one-bundle repository: downstream requests, 3 clusters": {"", none, 12},
		"one line in 1 of 50 bundles: hub requests, 1 cluster":                 {"", none, 12},
		"one line in 1 of 50 bundles: downstream requests, 1 cluster":          {"", none, 4},
		"one line in each of 50 bundles: hub requests, 1 cluster":              {"", none, 300},
		"one line in each of 50 bundles: hub requests, 3 clusters":             {"", none, 375},
		"one line in each of 50 bundles: downstream requests, 1 cluster":       {"", none, 150},
		"one line in each of 50 bundles: downstream requests, 3 clusters":      {"", none, 450},

		"agent RSS, idle, 1 cluster":  {"84-131", 40, none},
		"agent RSS, peak, 3 clusters": {"474", 80, none},

		"idle, 51 bundles: hub requests per minute, 1 cluster":        {"45", 12, 18},
		"idle, 51 bundles: downstream requests per minute, 1 cluster": {"", none, 18},
		"agent restart, 51 bundles: downstream requests, 1 cluster":   {"383", 60, 90},
		"agent restart, 51 bundles: downstream writes, 1 cluster":     {"", 0, 0},
	}
}
