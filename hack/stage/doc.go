// Command stage runs one stage of the tests, measures it against its budget and
// keeps the time in a file, so that the last line of a test run is a table of
// minutes. A test stage in which no test ran fails. It knows nothing about what
// the commands do.
//
//	stage -file times.txt -tests "unit and golden" go test ./...
//	stage -file times.txt -table
package main
