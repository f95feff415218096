// Command noop is the plugin of the benchmarks: it looks at nothing and
// passes.
package main

import "github.com/pushlane/pushlane/sdk"

func main() { sdk.Main(func(*sdk.Run) error { return nil }) }
