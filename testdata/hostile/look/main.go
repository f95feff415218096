// Look shows what a plugin sees of its folders.
package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

func main() {
	for _, top := range []string{"/src", "/base", "/results", "/out"} {
		err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				fmt.Printf("%q: %v\n", path, err)
				return nil
			}
			show(path, d)
			return nil
		})
		if err != nil {
			fmt.Println(top, err)
		}
	}
	again()
	fmt.Println(os.Args, os.Environ(), time.Now().UTC().Format("2006-01-02 15:04"))
	wd, err := os.Getwd()
	fmt.Println(wd, err)
	os.Mkdir("/out/d", 0o755)
	os.WriteFile("/out/d/x", []byte("one"), 0o644)
	f, _ := os.OpenFile("/out/d/x", os.O_APPEND|os.O_WRONLY, 0)
	f.WriteString("two")
	f.Close()
	fmt.Println(os.Rename("/out/d/x", "/out/d/y"), os.Remove("/out/d"))
	fmt.Println("big", os.WriteFile("/out/big", make([]byte, 1<<20), 0o644))
	for n := 0; ; n++ {
		if err := os.WriteFile(fmt.Sprint("/out/f", n), nil, 0o644); err != nil {
			fmt.Println("many", n, err)
			break
		}
	}
}

func show(path string, d fs.DirEntry) {
	info, err := d.Info()
	if err != nil {
		fmt.Printf("%q: %v\n", path, err)
		return
	}
	fmt.Printf("%q %v", path, info.Mode().Type())
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(path)
		_, open := os.Open(path)
		_, stat := os.Stat(path)
		fmt.Printf(" -> %q %v; open: %v; stat: %v", target, err, open, stat)
	case info.Mode().IsRegular():
		data, err := os.ReadFile(path)
		fmt.Printf(" %d %q %v", info.Size(), data, err)
	}
	fmt.Println()
}

// again reads a file backwards and twice.
func again() {
	f, err := os.Open("/src/dir/file")
	if err != nil {
		fmt.Println(err)
		return
	}
	b := make([]byte, 3)
	f.ReadAt(b, 4)
	fmt.Printf("%s ", b)
	f.ReadAt(b, 0)
	fmt.Printf("%s ", b)
	f.Seek(-3, io.SeekEnd)
	n, err := f.Read(b)
	fmt.Printf("%s %v ", b[:n], err)
	_, err = f.Write(b)
	fmt.Println(err)
}
