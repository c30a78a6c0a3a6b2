// Package manager assembles the hub: caches, controllers, gateway and webhook
// receiver in one process. One replica at a time leads and runs the
// controllers; every replica serves agents and webhooks.
package manager
