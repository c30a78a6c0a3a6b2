package lab

import (
	"path/filepath"

	"github.com/muster-dev/muster/internal/lab/gitserver"
	"github.com/muster-dev/muster/internal/lab/plane"
)

// programs are the executables that a lab starts.
type programs struct {
	dir                                  string
	muster, manager, agent, render, kwok string
}

// findPrograms looks for all of them first, so that the missing one is named
// before anything runs.
func findPrograms(bin string) (programs, error) {
	var p programs
	for name, path := range map[string]*string{
		"muster": &p.muster, "muster-manager": &p.manager, "muster-agent": &p.agent, "muster-render": &p.render, "kwok": &p.kwok,
	} {
		found, err := plane.Binary(bin, name)
		if err != nil {
			return p, err
		}
		*path = found
	}
	controlplane, err := plane.Binary(bin, "muster-controlplane")
	if err != nil {
		return p, err
	}
	p.dir = filepath.Dir(controlplane)
	_, err = gitserver.Backend()
	return p, err
}
