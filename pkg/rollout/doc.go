// Package rollout decides, one pure step at a time, which clusters may take a
// bundle's newest generation. The ledger that makes its budget hold under any
// crash is the Rollout object; this package only says what to write into it.
package rollout
