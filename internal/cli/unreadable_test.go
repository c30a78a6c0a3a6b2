package cli_test

import (
	"os"
	"path/filepath"
	"testing"
)

// What cannot be read is not judged: exit 3, also below a root that can. Root
// reads everything.
func TestValidateSaysWhatItCannotRead(t *testing.T) {
	dir := t.TempDir()
	sub := filepath.Join(dir, "app", "sub")
	if err := os.MkdirAll(sub, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "app", "a.yaml"), []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(sub, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(sub, 0o755) }) // so that the directory can be removed
	want := "3\n"
	if os.Geteuid() == 0 {
		want = "0\n"
	}
	if got := run(t, []string{"muster", "validate", dir}); got["exit"] != want {
		t.Errorf("exit %s, want %s; stdout %s stderr %s", got["exit"], want, got["stdout"], got["stderr"])
	}
}
