//go:build !linux

package process

import "syscall"

// attributes puts the process into a group of its own. There is no
// parent-death signal outside Linux.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
