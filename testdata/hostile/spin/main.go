// Spin never comes to an end and never calls its host.
package main

func main() {
	for {
	}
}
