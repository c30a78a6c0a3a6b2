package status

import "time"

// WaitsFor is mayWrite for a bundle, for tests of what is written when.
func (c *Controller) WaitsFor(bundle string, moving bool) time.Duration {
	return c.mayWrite(item{kindBundle, bundle}, moving)
}

// WaitsForRepo is mayWrite for a GitRepo.
func (c *Controller) WaitsForRepo(repo string, moving bool) time.Duration {
	return c.mayWrite(item{kindGitRepo, repo}, moving)
}
