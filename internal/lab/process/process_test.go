package process_test

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/muster-dev/muster/internal/lab/process"
)

// asParent makes the test binary play a lab that starts one process and is killed.
const asParent = "PROCESS_TEST_PARENT_LOG"

func TestMain(m *testing.M) {
	if log := os.Getenv(asParent); log != "" {
		p, err := process.Start(process.Spec{Name: "child", Path: "/bin/sleep", Args: []string{"300"}, Log: log})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(p.PID())
		select {}
	}
	os.Exit(m.Run())
}

func TestKillingTheParentLeavesNoChild(t *testing.T) {
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), asParent+"="+filepath.Join(t.TempDir(), "log"))
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	child, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := parent.Wait(); err == nil {
		t.Fatal("parent ended well, want killed")
	}
	awaitGone(t, child)
}

func TestStopKillsWhatDoesNotListen(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	script := "trap '' TERM; sleep 300 & echo $!; while :; do wait; done"
	p, err := process.Start(process.Spec{Name: "deaf", Path: "/bin/sh", Args: []string{"-c", script}, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	grandchild := awaitNumber(t, log)
	p.Stop(50 * time.Millisecond)
	if ended, err := p.Ended(); !ended || err == nil {
		t.Errorf("Ended() = %v, %v; want true and the signal", ended, err)
	}
	awaitGone(t, grandchild)
}

func TestStartNamesWhatCannotBeStarted(t *testing.T) {
	_, err := process.Start(process.Spec{Name: "nothing", Path: "/does/not/exist", Log: filepath.Join(t.TempDir(), "log")})
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "start nothing") {
		t.Errorf("Start() = %v, want a not-exist error that names the program", err)
	}
}

func awaitNumber(t *testing.T, file string) int {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		b, err := os.ReadFile(file)
		if n, convErr := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && convErr == nil {
			return n
		}
	}
	t.Fatalf("no number in %s", file)
	return 0
}

func awaitGone(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if gone(pid) {
			return
		}
	}
	t.Fatalf("process %d is still there", pid)
}

// gone also holds for a zombie: in a container nobody may collect it.
func gone(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return true
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(stat), ") Z ")
}
