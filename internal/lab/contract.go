package lab

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// ContractFile is the name of the contract in the lab's directory.
const ContractFile = "demo.json"

// Contract says where everything is. Scripts read it, so fields are only added.
type Contract struct {
	// API is the hub's API server, Gateway the manager's address for agents and
	// webhooks, Git the repository's URL.
	API     string `json:"api"`
	Gateway string `json:"gateway"`
	Git     string `json:"git"`
	// HubKubeconfig is the administrator's.
	HubKubeconfig string `json:"hubKubeconfig"`
	Workspace     string `json:"workspace"`
	// GitRepo is the seeded GitRepo's name; empty without a seed.
	GitRepo string  `json:"gitRepo"`
	Webhook Webhook `json:"webhook"`
	// Clusters in the order they were asked for.
	Clusters []ClusterContract `json:"clusters"`
	PIDs     PIDs              `json:"pids"`
	// Audit holds the audit log of each API server by name.
	Audit map[string]string `json:"audit"`
	// Logs is the directory of all logs, Bin that of the programs.
	Logs string `json:"logs"`
	Bin  string `json:"bin"`
}

// Webhook is how a forge would tell the seeded GitRepo of a push.
type Webhook struct {
	URL        string `json:"url"`
	SecretFile string `json:"secretFile"`
	Header     string `json:"header"`
}

// ClusterContract is one cluster.
type ClusterContract struct {
	Name       string            `json:"name"`
	Labels     map[string]string `json:"labels"`
	Kubeconfig string            `json:"kubeconfig"`
}

// PIDs are process ids; the manager's and the agents' change when they are
// started again.
type PIDs struct {
	Demo       int            `json:"demo"`
	Manager    int            `json:"manager"`
	Git        int            `json:"git"`
	Etcd       int            `json:"etcd"`
	Agents     map[string]int `json:"agents"`
	APIServers map[string]int `json:"apiservers"`
}

// write replaces dir/demo.json by rename, so that a reader sees one or the other.
func (c Contract) write(dir string) error {
	line, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("encode %s: %w", ContractFile, err)
	}
	path := filepath.Join(dir, ContractFile)
	if err := os.WriteFile(path+".new", append(line, '\n'), 0o600); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return os.Rename(path+".new", path)
}

// ReadContract reads dir/demo.json.
func ReadContract(dir string) (Contract, error) {
	var c Contract
	line, err := os.ReadFile(filepath.Join(dir, ContractFile))
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(line, &c); err != nil {
		return c, fmt.Errorf("read %s: %w", ContractFile, err)
	}
	return c, nil
}
