// Command guest is the plugin of the comparison: it reads an event, JSON, and
// answers with findings; input that begins with "copy" is returned unchanged. Built
// for pushlane it is a program with standard input and output, built with the
// tag extism it exports a function.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
)

type event struct {
	Changes []struct {
		Path   string `json:"path"`
		Status string `json:"status"`
	} `json:"changes"`
}

func work(input []byte) []byte {
	if bytes.HasPrefix(input, []byte("copy")) {
		return input
	}
	var e event
	if err := json.Unmarshal(input, &e); err != nil {
		panic(err)
	}
	var out bytes.Buffer
	for i, c := range e.Changes {
		if i%8 == 0 {
			fmt.Fprintf(&out,
				"{\"type\":\"finding\",\"finding\":{\"path\":%q,\"line\":%d,\"level\":\"error\",\"message\":\"left over\"}}\n",
				c.Path, i+1)
		}
	}
	return out.Bytes()
}
