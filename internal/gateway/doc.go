// Package gateway is the only door between agents and the hub: it lets them
// join, proves who speaks, streams each its own document, serves the content
// that document names, and stores the newest report of each. It decides nothing
// about what a cluster runs and never believes a name that a body holds.
package gateway
