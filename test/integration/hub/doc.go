// Package hub tests what the hub stores, on a real API server: content, wants,
// documents and statuses, through faults between any two writes.
package hub
