package lab

import (
	"context"

	"github.com/muster-dev/muster/internal/lab/process"
)

// startManager starts the manager and keeps it running.
func (l *Lab) startManager(ctx, inner context.Context) (err error) {
	kubeconfig := l.path("kubeconfig", "manager")
	if err := managerAccess().grant(ctx, l.plane.Server(HubName), kubeconfig); err != nil {
		return err
	}
	l.say("starting the manager")
	l.manager, err = l.supervised(inner, "manager", process.Spec{
		Name: "manager", Path: l.programs.manager, Log: l.log("manager"),
		Args: []string{
			"--kubeconfig=" + kubeconfig, "--namespace=" + ManagerNamespace,
			"--listen=" + l.gateway[len("http://"):], "--external-url=" + l.gateway, "--metrics-listen=" + l.metrics,
			"--data-dir=" + l.path("manager"), "--leader-elect=false", "--render-binary=" + l.programs.render,
		},
	})
	return err
}

func managerAccess() access {
	return access{chart: "muster", namespace: ManagerNamespace, account: "muster-manager"}
}
