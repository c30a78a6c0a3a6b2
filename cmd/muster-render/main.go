// Command muster-render renders bundles for a parent that speaks to it over
// stdin and stdout. It confines itself first and has no other use.
package main

import (
	"fmt"
	"os"

	"github.com/muster-dev/muster/internal/renderer"
)

var version = "dev" // set by the linker

func main() {
	if len(os.Args) > 1 && os.Args[1] == "--version" {
		fmt.Println(version)
		return
	}
	os.Exit(renderer.ServeChild(os.Stdin, os.Stdout))
}
