package cli_test

import (
	"context"
	"fmt"
	"os"

	"github.com/muster-dev/muster/internal/cli"
)

func ExampleRun() {
	code := cli.Run(context.Background(), "v1.2.3", []string{"version"}, cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	fmt.Println("exit code", code)
	// Output:
	// muster v1.2.3
	// exit code 0
}
