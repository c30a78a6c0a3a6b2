package renderer_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/muster-dev/muster/internal/renderer"
)

// attempts are what a hostile template would want to do, had it found a way.
var attempts = map[string]func(address string) error{
	"dial": func(address string) error {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err
	},
	"exec": func(string) error { return exec.Command("/bin/true").Run() },
	"replace": func(string) error {
		if os.Getenv("MUSTER_FREE") != "" {
			return nil // it would succeed, and nobody would report it
		}
		return syscall.Exec("/bin/true", []string{"true"}, nil)
	},
	"open": func(string) error {
		f, err := os.Open("/etc/hostname")
		if err == nil {
			f.Close()
		}
		return err
	},
	"create": func(string) error {
		f, err := os.CreateTemp("", "muster-cell")
		if err == nil {
			f.Close()
			os.Remove(f.Name())
		}
		return err
	},
	"fork": func(string) error {
		pid, _, errno := syscall.RawSyscall(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0)
		if errno != 0 {
			return errno
		}
		if pid == 0 {
			syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 0, 0, 0)
		}
		_, err := syscall.Wait4(int(pid), nil, 0, nil)
		return err
	},
	"kill": func(string) error { return syscall.Kill(os.Getppid(), 0) },
}

// attemptConfined is what this test program does as a child: one attempt, its error on stdout.
func attemptConfined(name string) int {
	if os.Getenv("MUSTER_FREE") == "" {
		if err := renderer.Confine(); err != nil {
			fmt.Println("confine:", err)
			return 1
		}
	}
	fmt.Println(attempts[name](os.Getenv("MUSTER_ADDRESS")))
	return 0
}

func TestTheFilterRefusesWhatAHostileTemplateWouldWant(t *testing.T) {
	if !renderer.Sandbox().Syscalls {
		t.Fatalf("no system call filter here: %+v", renderer.Sandbox())
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()

	for name := range attempts {
		t.Run(name, func(t *testing.T) {
			// The same attempt succeeds outside the filter, so its failure inside means something.
			if got := attempt(t, name, listener.Addr().String(), "MUSTER_FREE=1"); got != "<nil>" {
				t.Fatalf("without the filter got %q, want success", got)
			}
			got := attempt(t, name, listener.Addr().String())
			if !strings.Contains(got, "operation not permitted") {
				t.Errorf("with the filter got %q, want operation not permitted", got)
			}
		})
	}
}

func attempt(t *testing.T, name, address string, env ...string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append([]string{"MUSTER_CONFINED_ATTEMPT=" + name, "MUSTER_ADDRESS=" + address}, env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("attempt %s: %v\n%s", name, err, out)
	}
	return strings.TrimSpace(string(out))
}
