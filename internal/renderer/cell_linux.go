package renderer

import (
	"fmt"
	"syscall"
	"time"

	"github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/sys/unix"
)

const limitsSupported = true

func syscallsSupported() bool { return seccomp.Supported() }

// setLimits binds this process for good.
func setLimits(l Limits) error {
	whole := uint64(l.CPU/time.Second)*uint64(l.Renders) + 5
	for _, r := range []struct {
		name     string
		resource int
		limit    uint64
	}{
		{"data", unix.RLIMIT_DATA, uint64(l.MemoryBytes)},
		{"cpu", unix.RLIMIT_CPU, whole},
		{"fsize", unix.RLIMIT_FSIZE, uint64(l.OutputBytes)},
		{"nofile", unix.RLIMIT_NOFILE, 16},
		{"core", unix.RLIMIT_CORE, 0},
	} {
		if err := unix.Setrlimit(r.resource, &unix.Rlimit{Cur: r.limit, Max: r.limit}); err != nil {
			return fmt.Errorf("set limit %s: %w", r.name, err)
		}
	}
	return nil
}

// armCPU moves the soft limit so that the kernel signals SIGXCPU once this
// process has used budget more than now.
func armCPU(budget time.Duration) error {
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		return fmt.Errorf("read used CPU time: %w", err)
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CPU, &limit); err != nil {
		return fmt.Errorf("read CPU limit: %w", err)
	}
	spent := time.Duration(used.Utime.Nano() + used.Stime.Nano())
	limit.Cur = min(uint64((spent+budget+time.Second-1)/time.Second), limit.Max)
	if err := unix.Setrlimit(unix.RLIMIT_CPU, &limit); err != nil {
		return fmt.Errorf("set CPU limit: %w", err)
	}
	return nil
}

// allowed is what a Go program needs that has its pipes open already. No
// socket, no connect, no execve, no open: the list says what is possible, so
// that system calls invented later are refused too.
var allowed = []string{
	"read", "write", "readv", "writev", "pread64", "close", "fstat", "lseek", "fcntl",
	"mmap", "munmap", "mremap", "mprotect", "madvise", "brk",
	"futex", "sched_yield", "sched_getaffinity", "set_robust_list", "rseq", "restart_syscall",
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack",
	"epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "eventfd2", "poll", "ppoll",
	"nanosleep", "clock_nanosleep", "clock_gettime", "clock_getres", "gettimeofday", "time",
	"getpid", "gettid", "getuid", "geteuid", "getgid", "getegid", "getrusage", "getrlimit", "getrandom", "exit", "exit_group",
}

// confine installs the filter on every thread of this process, for good.
func confine() error {
	info, err := arch.GetInfo("")
	if err != nil {
		return fmt.Errorf("system call filter: %w", err)
	}
	err = seccomp.LoadFilter(seccomp.Filter{
		NoNewPrivs: true,
		Flag:       seccomp.FilterFlagTSync,
		Policy: seccomp.Policy{
			DefaultAction: seccomp.ActionErrno,
			Syscalls: []seccomp.SyscallGroup{
				// glibc falls back to clone, whose flags can be looked at.
				{Names: known(info, "clone3"), Action: seccomp.ActionErrno | seccomp.Action(unix.ENOSYS)},
				{Names: known(info, allowed...), Action: seccomp.ActionAllow},
				{NamesWithCondtions: narrow(), Action: seccomp.ActionAllow},
			},
		},
	})
	if err != nil {
		return fmt.Errorf("system call filter: %w", err)
	}
	return nil
}

// narrow are calls allowed with certain arguments only: threads but no
// processes, signals and limits of this process but of no other.
func narrow() []seccomp.NameWithConditions {
	equal := func(arg uint32, value uint64) seccomp.Condition {
		return seccomp.Condition{Argument: arg, Operation: seccomp.Equal, Value: value}
	}
	return []seccomp.NameWithConditions{
		{Name: "clone", Conditions: seccomp.ArgumentConditions{{Argument: 0, Operation: seccomp.BitsSet, Value: unix.CLONE_THREAD}}},
		{Name: "tgkill", Conditions: seccomp.ArgumentConditions{equal(0, uint64(syscall.Getpid()))}},
		{Name: "setrlimit", Conditions: seccomp.ArgumentConditions{equal(0, unix.RLIMIT_CPU)}},
		{Name: "prlimit64", Conditions: seccomp.ArgumentConditions{equal(0, 0), equal(1, unix.RLIMIT_CPU)}},
	}
}

// known keeps the names that exist on this architecture.
func known(info *arch.Info, names ...string) []string {
	var kept []string
	for _, name := range names {
		if _, ok := info.SyscallNames[name]; ok {
			kept = append(kept, name)
		}
	}
	return kept
}
