package plane

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/muster-dev/muster/internal/lab/process"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// AdminUser is who the administrator's kubeconfig names in audit logs.
const AdminUser = "lab-admin"

// MastersGroup may do everything.
const MastersGroup = "system:masters"

// Server is one API server, and its controller-manager if there is one.
type Server struct {
	// Name is also the etcd prefix.
	Name string
	// URL of the API.
	URL string
	// Kubeconfig is the administrator's, a file.
	Kubeconfig string
	// Audit is the audit log, a file; empty without Options.Audit.
	Audit string

	dir       string
	logs      string
	binary    string
	authority *authority
	accounts  *ecdsa.PrivateKey
	api       *process.Process
	manager   *process.Process
}

// auditPolicy logs who did what to which object, once per request (and at the
// start and end of each watch), never bodies.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
`

// newServer prepares the files of one API server.
func newServer(binary, dir, name string, audit bool) (*Server, error) {
	s := &Server{
		Name: name, dir: filepath.Join(dir, "planes", name), logs: filepath.Join(dir, "logs"), binary: binary,
		Kubeconfig: filepath.Join(dir, "kubeconfig", name),
	}
	if audit {
		s.Audit = filepath.Join(dir, "audit", name+".log")
	}
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	s.URL = fmt.Sprintf("https://127.0.0.1:%d", port)
	if s.authority, err = newAuthority(name, time.Now()); err != nil {
		return nil, err
	}
	if err := s.writeCertificates(); err != nil {
		return nil, fmt.Errorf("prepare API server %s: %w", name, err)
	}
	return s, s.writeAdmin()
}

// writeAdmin writes the administrator's kubeconfig, and beside it the same
// credential as three files for curl: NAME.ca, NAME.crt, NAME.key.
func (s *Server) writeAdmin() error {
	if err := s.WriteKubeconfig(s.Kubeconfig, AdminUser, MastersGroup); err != nil {
		return err
	}
	cert, key, err := s.authority.client(AdminUser, []string{MastersGroup})
	if err != nil {
		return err
	}
	return writeFiles(filepath.Dir(s.Kubeconfig), map[string][]byte{
		s.Name + ".ca": s.authority.certPEM, s.Name + ".crt": cert, s.Name + ".key": key,
	})
}

func (s *Server) writeCertificates() error {
	cert, key, err := s.authority.serving()
	if err != nil {
		return err
	}
	accounts, accountsPEM, err := newKey()
	if err != nil {
		return err
	}
	public, err := publicPEM(accounts)
	if err != nil {
		return err
	}
	s.accounts = accounts
	return writeFiles(s.dir, map[string][]byte{
		"ca.crt": s.authority.certPEM, "tls.crt": cert, "tls.key": key,
		"accounts.key": accountsPEM, "accounts.pub": public, "audit-policy.yaml": []byte(auditPolicy),
	})
}

func (s *Server) file(name string) string { return filepath.Join(s.dir, name) }

// start starts the API server process and returns at once.
func (s *Server) start(etcdURL string) error {
	args := []string{
		"apiserver", "--etcd-servers=" + etcdURL, "--etcd-prefix=/" + s.Name,
		"--bind-address=127.0.0.1", "--secure-port=" + s.URL[len("https://127.0.0.1:"):],
		// A loopback address is no valid endpoint of the service "kubernetes".
		"--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none",
		"--tls-cert-file=" + s.file("tls.crt"), "--tls-private-key-file=" + s.file("tls.key"),
		"--client-ca-file=" + s.file("ca.crt"), "--authorization-mode=RBAC",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + s.file("accounts.pub"),
		"--service-account-signing-key-file=" + s.file("accounts.key"),
		"--service-cluster-ip-range=10.0.0.0/16",
		"--profiling=false", "--shutdown-delay-duration=0s",
	}
	if s.Audit != "" {
		args = append(args, "--audit-policy-file="+s.file("audit-policy.yaml"), "--audit-log-path="+s.Audit, "--audit-log-maxsize=10000")
	}
	var err error
	s.api, err = process.Start(process.Spec{Name: "API server " + s.Name, Path: s.binary, Args: args, Log: filepath.Join(s.logs, "apiserver-"+s.Name+".log")})
	return err
}

// readyPoll is how often a starting server is asked whether it is ready.
const readyPoll = 50 * time.Millisecond

// awaitReady returns when /readyz answers 200.
func (s *Server) awaitReady(ctx context.Context) error {
	clients, err := kubernetes.NewForConfig(s.Config())
	if err != nil {
		return fmt.Errorf("reach API server %s: %w", s.Name, err)
	}
	for {
		attempt, cancel := context.WithTimeout(ctx, 2*time.Second)
		_, err := clients.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(attempt)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-s.api.Done():
			return fmt.Errorf("API server %s ended while it started; its log ends with:\n%s", s.Name, s.api.Tail())
		case <-ctx.Done():
			return fmt.Errorf("await API server %s: %w", s.Name, errors.Join(context.Cause(ctx), err))
		case <-time.After(readyPoll):
		}
	}
}

// hubControllers are what an API server without workloads needs;
// workloadControllers what Deployments, Jobs and Services need besides. None
// that needs clouds, disks or kubelets of its own.
const (
	hubControllers = "namespace-controller,garbage-collector-controller,serviceaccount-controller,serviceaccount-token-controller," +
		"root-ca-certificate-publisher-controller,clusterrole-aggregation-controller,resourcequota-controller"
	workloadControllers = hubControllers + ",deployment-controller,replicaset-controller,statefulset-controller,daemonset-controller," +
		"job-controller,cronjob-controller,endpointslice-controller,horizontal-pod-autoscaler-controller,disruption-controller"
)

// startControllerManager starts the given controllers.
func (s *Server) startControllerManager(controllers string) error {
	kubeconfig := s.file("controller-manager.kubeconfig")
	if err := s.WriteKubeconfig(kubeconfig, "system:kube-controller-manager", MastersGroup); err != nil {
		return err
	}
	var err error
	s.manager, err = process.Start(process.Spec{
		Name: "controller-manager of " + s.Name, Path: s.binary, Log: filepath.Join(s.logs, "controller-manager-"+s.Name+".log"),
		Args: []string{
			"controller-manager", "--kubeconfig=" + kubeconfig, "--leader-elect=false", "--secure-port=0", "--authentication-skip-lookup", "--controllers=" + controllers,
			"--root-ca-file=" + s.file("ca.crt"), "--service-account-private-key-file=" + s.file("accounts.key"),
			// One core's worth of controllers has little to win from 20 requests a second.
			"--kube-api-qps=200", "--kube-api-burst=400", "--concurrent-gc-syncs=5", "--min-resync-period=24h",
		},
	})
	return err
}

// stop ends both processes at once: what they hold is in etcd.
func (s *Server) stop() {
	for _, p := range []*process.Process{s.manager, s.api} {
		if p != nil {
			p.Kill()
		}
	}
}

// PID of the API server.
func (s *Server) PID() int { return s.api.PID() }

// Config is the administrator's, without a client-side rate limit.
func (s *Server) Config() *rest.Config {
	config, err := clientcmd.BuildConfigFromFlags("", s.Kubeconfig)
	if err != nil {
		panic("a kubeconfig of our own making does not parse: " + err.Error())
	}
	config.QPS = -1
	return config
}

// WriteKubeconfig writes a kubeconfig with a new client certificate for user
// and groups, readable by its owner only.
func (s *Server) WriteKubeconfig(path, user string, groups ...string) error {
	cert, key, err := s.authority.client(user, groups)
	if err != nil {
		return err
	}
	return s.writeKubeconfig(path, user, &clientcmdapi.AuthInfo{ClientCertificateData: cert, ClientKeyData: key})
}

// WriteTokenKubeconfig writes a kubeconfig with a bearer token, such as a
// service account's.
func (s *Server) WriteTokenKubeconfig(path, user, token string) error {
	return s.writeKubeconfig(path, user, &clientcmdapi.AuthInfo{Token: token})
}

func (s *Server) writeKubeconfig(path, user string, auth *clientcmdapi.AuthInfo) error {
	config := clientcmdapi.NewConfig()
	config.Clusters[s.Name] = &clientcmdapi.Cluster{Server: s.URL, CertificateAuthorityData: s.authority.certPEM}
	config.AuthInfos[user] = auth
	config.Contexts[s.Name] = &clientcmdapi.Context{Cluster: s.Name, AuthInfo: user}
	config.CurrentContext = s.Name
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("write kubeconfig %s: %w", path, err)
	}
	return clientcmd.WriteToFile(*config, path)
}
