package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/muster-dev/muster/internal/lab"
	"github.com/muster-dev/muster/internal/lab/driver"
	"github.com/muster-dev/muster/internal/lab/plane"
)

// Headless prints one line of JSON and nothing else, keeps no file without
// --data-dir, and ends at SIGINT within 15 s and with exit code 0.
func TestHeadlessContract(t *testing.T) {
	muster, err := plane.Binary("", "muster")
	if err != nil {
		t.Fatal(err)
	}
	temp := t.TempDir()
	command := exec.Command(muster, "demo", "--headless", "--seed-repo=none", "--cluster=edge-1=site=north,tier=2")
	command.Env = append(os.Environ(), "TMPDIR="+temp)
	var stdout, stderr bytes.Buffer
	command.Stderr = &stderr
	pipe, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Kill() }) // it has ended unless the test failed
	var got lab.Contract
	decoder := json.NewDecoder(io.TeeReader(pipe, &stdout))
	if err := decoder.Decode(&got); err != nil {
		t.Fatalf("read the contract: %v\n%s", err, stderr.String())
	}
	want := []lab.ClusterContract{{Name: "edge-1", Labels: map[string]string{"site": "north", "tier": "2"}, Kubeconfig: got.Clusters[0].Kubeconfig}}
	if diff := cmp.Diff(want, got.Clusters); diff != "" {
		t.Errorf("clusters (-want +got):\n%s", diff)
	}
	assertContractFile(t, got)
	began := time.Now()
	if err := command.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(&stdout, pipe); err != nil {
		t.Fatal(err)
	}
	if err := command.Wait(); err != nil {
		t.Errorf("demo ended with %v, want exit code 0\n%s", err, stderr.String())
	}
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("demo ended after %s, want within 15s", took)
	}
	if n := bytes.Count(bytes.TrimSpace(stdout.Bytes()), []byte("\n")); n != 0 {
		t.Errorf("stdout has %d lines, want 1:\n%s", n+1, stdout.String())
	}
	left, err := os.ReadDir(temp)
	if err != nil || len(left) > 0 {
		t.Errorf("the temporary directory holds %v, %v; want nothing", left, err)
	}
}

// assertContractFile: the file is the line, and readable by its owner only.
func assertContractFile(t *testing.T, printed lab.Contract) {
	t.Helper()
	dir := filepath.Dir(printed.Logs)
	file, err := lab.ReadContract(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(printed, file); diff != "" {
		t.Errorf("demo.json differs from the line (-line +file):\n%s", diff)
	}
	info, err := os.Stat(filepath.Join(dir, lab.ContractFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("demo.json: %v, %v; want mode 0600", info.Mode(), err)
	}
	for _, path := range []string{printed.HubKubeconfig, printed.Webhook.SecretFile, printed.Audit["hub"], printed.Audit["edge-1"], printed.Bin, printed.Clusters[0].Kubeconfig} {
		if _, err := os.Stat(path); err != nil {
			t.Errorf("the contract names what is not there: %v", err)
		}
	}
	if got := []string{printed.Workspace, printed.GitRepo, printed.Webhook.Header}; !cmp.Equal(got, []string{"default", "", "X-Hub-Signature-256"}) {
		t.Errorf("workspace, gitRepo and webhook header are %q", got)
	}
}

// Killing the demo leaves no process; a directory with something in it is refused.
func TestKillingTheDemoLeavesNoProcess(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), startWithin)
	defer cancel()
	dir := t.TempDir()
	d, err := driver.Start(ctx, dir, "--seed-repo=none", "--clusters=1")
	if err != nil {
		t.Fatal(err)
	}
	pids, err := d.Descendants()
	if err != nil || len(pids) < 8 {
		t.Fatalf("the demo has the processes %v, %v; want at least 8", pids, err)
	}
	if err := syscall.Kill(d.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); len(driver.Left(pids)) > 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("processes %v are still there", driver.Left(pids))
		}
	}
	if _, err := driver.Start(ctx, dir, "--seed-repo=none"); err == nil {
		t.Error("a demo started in a directory that is not empty")
	}
}
