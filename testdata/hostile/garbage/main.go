// Garbage writes bytes that are no record, and passes.
package main

import "os"

func main() {
	os.Stdout.Write([]byte("\x00\xff\x1b]0;mine\x07{\"type\":\n]]\xed\xa0\x80"))
}
