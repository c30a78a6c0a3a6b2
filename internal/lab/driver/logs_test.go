package driver_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muster-dev/muster/internal/lab/driver"
)

func TestAlarmsAreDataRacesAndPanics(t *testing.T) {
	for name, c := range map[string]struct {
		log  string
		want int
	}{
		"nothing":               {log: `{"level":"INFO","msg":"starting"}` + "\n", want: 0},
		"a word in a message":   {log: `{"msg":"a render said panic: boom"}` + "\n", want: 0},
		"a data race":           {log: "==================\nWARNING: DATA RACE\nRead at 0x1\n", want: 1},
		"a panic":               {log: "panic: runtime error\n\ngoroutine 1\n", want: 1},
		"two, far apart":        {log: "panic: one\n" + strings.Repeat("x\n", 50) + "fatal error: two\n", want: 2},
		"a concurrent map read": {log: "fatal error: concurrent map read and map write\n", want: 1},
	} {
		t.Run(name, func(t *testing.T) {
			d := &driver.Demo{Dir: t.TempDir()}
			if err := os.MkdirAll(filepath.Join(d.Dir, "logs"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(d.Dir, "logs", "agent-eu-1.log"), []byte(c.log), 0o644); err != nil {
				t.Fatal(err)
			}
			got, err := d.Alarms()
			if err != nil || len(got) != c.want {
				t.Errorf("Alarms() = %q, %v; want %d", got, err, c.want)
			}
		})
	}
}
