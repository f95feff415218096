// Escape tries to read and write where it has no business.
package main

import (
	"fmt"
	"os"
)

func main() {
	for _, name := range []string{"/etc/passwd", "/src/../etc/passwd", "/src/../../etc/passwd", "/src/link",
		"/src/linkdir/passwd", "/out/../src/a", "/", "/src//../.."} {
		_, err := os.ReadFile(name)
		fmt.Println("read", name, err)
	}
	for _, name := range []string{"/etc/x", "/src/x", "/src/a", "/base/x", "/results/x", "/out/../x", "/out/no/x", "/x"} {
		fmt.Println("write", name, os.WriteFile(name, []byte("x"), 0o644))
	}
	fmt.Println("mkdir", os.Mkdir("/src/d", 0o755))
	fmt.Println("remove", os.Remove("/src/a"))
	fmt.Println("rename", os.Rename("/src/a", "/out/a"))
	fmt.Println("symlink", os.Symlink("/etc/passwd", "/out/l"))
	fmt.Println("link", os.Link("/src/a", "/out/l"))
	fmt.Println("chmod", os.Chmod("/src/a", 0o777))
	fmt.Println("truncate", os.Truncate("/src/a", 0))
}
