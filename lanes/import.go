package lanes

import "fmt"

// Import turns another tool's file into the text of a lanes file.
func Import(tool, source string, data []byte) ([]byte, error) {
	return nil, fmt.Errorf("cannot import from %q: unknown tool", tool)
}
