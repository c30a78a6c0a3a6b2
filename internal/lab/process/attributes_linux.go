package process

import "syscall"

// attributes puts the process into a group of its own, so that Ctrl-C reaches
// only the lab, and binds its life to the lab's.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
