package lanes_test

import (
	"context"
	"fmt"

	"github.com/pushlane/pushlane/lanes"
)

const file = `version = 1

[[lane]]
id = "files"
plugin = "files"

[[lane]]
id = "go-test"
plugin = "shell"
paths = ["**/*.go"]
[lane.with]
run = "go test ./..."
[lane.grant]
container = true
`

// Every fault of a file is found at once, each with its line.
func ExampleLoad() {
	_, err := lanes.Load("lanes.toml",
		[]byte("version = 1\n[[lane]]\nid = \"files\"\nplugin = \"files\"\ntimout = \"1m\"\n"))
	fmt.Println(err)
	// Output: lanes.toml:5: unknown key "timout"
}

// Each lane is decided, with the path and the pattern that chose it.
func ExampleSet_Pick() {
	set, err := lanes.Load("lanes.toml", []byte(file))
	if err != nil {
		fmt.Println(err)
		return
	}
	picked, err := set.Pick(context.Background(), lanes.Event{
		Gate: "pre-push", Ref: "refs/heads/main", Paths: []string{"README.md", "cmd/main.go"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range picked {
		fmt.Println(p.Lane.ID, p.Picked, p.Reason)
	}
	// Output:
	// files true no paths given: runs on every push
	// go-test true matches **/*.go
}
