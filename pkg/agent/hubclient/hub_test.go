package hubclient_test

import (
	"github.com/muster-dev/muster/pkg/agent"
	"github.com/muster-dev/muster/pkg/agent/hubclient"
)

var _ agent.Hub = (*hubclient.Client)(nil)
