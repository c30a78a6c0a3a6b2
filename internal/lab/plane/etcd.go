package plane

import (
	"fmt"
	"path/filepath"

	"github.com/muster-dev/muster/internal/lab/process"
)

// startEtcd starts the one etcd behind all API servers. It skips fsync: a lab
// has to survive kill -9 of a process, not the loss of the machine.
func startEtcd(binary, dir string) (*process.Process, string, error) {
	port, err := FreePort()
	if err != nil {
		return nil, "", err
	}
	url := fmt.Sprintf("http://127.0.0.1:%d", port)
	p, err := process.Start(process.Spec{
		Name: "etcd", Path: binary, Log: filepath.Join(dir, "logs", "etcd.log"),
		Args: []string{
			"etcd", "--data-dir=" + filepath.Join(dir, "etcd"), "--listen-client-url=" + url,
			"--listen-peer-url=http://127.0.0.1:0", "--unsafe-no-fsync",
		},
	})
	return p, url, err
}
