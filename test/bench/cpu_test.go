package bench_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/muster-dev/muster/internal/lab"
)

// ticksPerSecond of /proc/PID/stat, the same on every Linux that Go runs on.
const ticksPerSecond = 100

// cpu is processor time by who used it, since the fleet began.
type cpu struct{ manager, agents, apiservers, etcd, others time.Duration }

// cpu reads the processor time of every process of the fleet. Processes that
// have ended meanwhile count for nothing.
func (b *bench) cpu() cpu {
	b.t.Helper()
	contract, err := b.demo.Contract()
	b.must(err)
	all, err := b.demo.Descendants()
	b.must(err)
	var c cpu
	for _, pid := range all {
		*c.of(pid, contract.PIDs) += used(pid)
	}
	return c
}

// of is where a process counts; muster-render counts for the manager.
func (c *cpu) of(pid int, p lab.PIDs) *time.Duration {
	for _, one := range p.Agents {
		if one == pid {
			return &c.agents
		}
	}
	for _, one := range p.APIServers {
		if one == pid {
			return &c.apiservers
		}
	}
	command, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	switch {
	case pid == p.Manager || err == nil && filepath.Base(command) == "muster-render":
		return &c.manager
	case pid == p.Etcd:
		return &c.etcd
	}
	return &c.others
}

func used(pid int) time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	var user, system int64
	if len(fields) < 13 {
		return 0
	}
	if _, err := fmt.Sscan(fields[11]+" "+fields[12], &user, &system); err != nil {
		return 0
	}
	return time.Duration(user+system) * time.Second / ticksPerSecond
}

// since is what was used after before.
func (c cpu) since(before cpu) cpu {
	return cpu{
		manager: c.manager - before.manager, agents: c.agents - before.agents, apiservers: c.apiservers - before.apiservers,
		etcd: c.etcd - before.etcd, others: c.others - before.others,
	}
}

func (c cpu) String() string {
	return fmt.Sprintf("CPU: manager %.2f s, agents %.2f s, API servers %.2f s, etcd %.2f s, others %.2f s",
		c.manager.Seconds(), c.agents.Seconds(), c.apiservers.Seconds(), c.etcd.Seconds(), c.others.Seconds())
}
