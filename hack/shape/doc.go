// Command shape prints the tree's own numbers: how long functions are, how much
// test stands beside how much code, how many exported names are documented. The
// numbers are for people to look at; nothing fails on them.
package main
