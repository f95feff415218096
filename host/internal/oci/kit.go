package oci

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pushlane/pushlane/host/internal/bounded"
	"github.com/pushlane/pushlane/host/internal/problem"
)

// Kit is what pushlane puts into an image so that any can start: an init, a
// shell and the programs that prepare a container. It is busybox, as one static
// file in a folder of its own, so that images without a shell work and those
// with one keep theirs.
type Kit struct {
	Busybox string // content of the program
}

// kitVersion changes when an image is made in another way.
const kitVersion = "1"

// maxBusybox is the largest busybox, in bytes.
const maxBusybox = 8 << 20

// Where it is in an image.
const (
	kitFolder  = "/.pushlane"
	kitProgram = kitFolder + "/busybox"
)

// KitShell is the shell that pushlane's own steps use in an image with a kit, KitPath
// the folder of their programs.
const (
	KitShell = kitFolder + "/bin/sh"
	KitPath  = kitFolder + "/bin"
)

// kitPrograms are those that preparing a container and looking into it need.
var kitPrograms = []string{"cat", "chmod", "chown", "cp", "dd", "echo", "env", "grep", "ifconfig", "ip", "ln", "ls",
	"mkdir", "mknod", "mount", "mv", "ps", "readlink", "rm", "sed", "sh", "sleep", "tar", "test", "udhcpc", "umount"}

// FindKit reads this machine's static busybox.
func FindKit() (Kit, error) {
	name, err := exec.LookPath("busybox")
	if err != nil {
		name = "/bin/busybox"
	}
	data, err := bounded.ReadFile(name, maxBusybox)
	if err == nil && !static(data) {
		err = errors.New("it is not a static program")
	}
	if err != nil {
		return Kit{}, problem.WithHint(fmt.Errorf("cannot use %s as the init of images: %w", name, err),
			"install it: apt-get install busybox-static")
	}
	return Kit{string(data)}, nil
}

// static reports whether an ELF file names no loader.
func static(data []byte) bool {
	return strings.HasPrefix(string(data[:min(4, len(data))]), "\x7fELF") &&
		!strings.Contains(string(data), "/ld-linux") && !strings.Contains(string(data), "/ld-musl")
}

// ID names the kit, and the way in which images are made.
func (k Kit) ID() string {
	sum := sha256.Sum256([]byte(kitVersion + "\x00" + runtime.GOARCH + "\x00" + k.Busybox))
	return hex.EncodeToString(sum[:])[:8]
}

// Run is how an image wants its program to be run.
type Run struct {
	Env        []string `json:"env,omitempty"`
	Entrypoint []string `json:"entrypoint,omitempty"`
	Cmd        []string `json:"cmd,omitempty"`
	WorkingDir string   `json:"workdir,omitempty"`
	User       string   `json:"user,omitempty"` // as written
	UID        int      `json:"uid"`            // that User means; -1: no such user in the image
	GID        int      `json:"gid"`
}

// maxRun is the longest description of a Run, in bytes.
const maxRun = 128 << 10

// Root is the file system of an image, ready to be written.
type Root struct {
	tree   *tree
	layers []layer
	Run    Run
}

// Merge makes the file system: the layers, then the kit.
func (p *Pulled) Merge(k Kit) (*Root, error) {
	t, err := merge(p.layers)
	if err != nil {
		return nil, explain(p.Name, err)
	}
	t.layer = len(p.layers)
	c := p.Config.Config
	r := &Root{tree: t, layers: p.layers, Run: Run{Env: c.Env, Entrypoint: c.Entrypoint, Cmd: c.Cmd,
		WorkingDir: c.WorkingDir, User: c.User}}
	r.Run.UID, r.Run.GID = r.user(c.User)
	if err := r.install(k); err != nil {
		return nil, explain(p.Name, err)
	}
	return r, nil
}

// WriteTar writes the file system.
func (r *Root) WriteTar(w io.Writer) error { return r.tree.write(w, r.layers) }

// install adds the kit, and what every lane image has.
func (r *Root) install(k Kit) error {
	steps := []func() error{
		func() error { return r.file(kitProgram, 0o755, k.Busybox) },
		func() error { return r.symlink("/sbin/init", kitProgram) },
		func() error { return r.file("/etc/inittab", 0o644, "::sysinit:"+kitProgram+" true\n") },
		func() error { return r.file("/etc/hosts", 0o644, "127.0.0.1 localhost\n::1 localhost\n") },
		r.users,
	}
	for _, name := range kitPrograms {
		steps = append(steps, func() error { return r.symlink(KitPath+"/"+name, kitProgram) })
	}
	for _, name := range []string{"/etc/hostname", "/etc/resolv.conf"} {
		if n := r.tree.find(name); n == nil || n.kind != tar.TypeReg {
			steps = append(steps, func() error { return r.file(name, 0o644, "") })
		}
	}
	for name, mode := range map[string]int64{"/proc": 0o555, "/sys": 0o555, "/dev": 0o755, "/run": 0o755,
		"/work": 0o755, "/root": 0o700, "/tmp": 0o1777, "/var/tmp": 0o1777} {
		if r.tree.find(name) == nil {
			steps = append(steps, func() error { return r.mkdir(name, mode) })
		}
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// place is the folder of a name, made where it is missing.
func (r *Root) place(name string) (*node, string, error) {
	i := strings.LastIndexByte(name, '/')
	parent, err := r.tree.folder(name[:i+1], true)
	return parent, name[i+1:], err
}

func (r *Root) file(name string, mode int64, text string) error {
	parent, base, err := r.place(name)
	if err == nil {
		delete(parent.children, base)
		r.tree.put(parent, base, &inode{kind: tar.TypeReg, mode: mode, size: int64(len(text)), from: source{text: text}})
	}
	return err
}

func (r *Root) symlink(name, target string) error {
	parent, base, err := r.place(name)
	if err == nil {
		delete(parent.children, base)
		r.tree.put(parent, base, &inode{kind: tar.TypeSymlink, mode: 0o777, target: target})
	}
	return err
}

func (r *Root) mkdir(name string, mode int64) error {
	parent, base, err := r.place(name)
	if err == nil {
		r.tree.put(parent, base, &inode{kind: tar.TypeDir, mode: mode})
	}
	return err
}

// laneUID is the user that lanes run as.
const laneUID = 1000

// maxPasswd is how much is read of a list of users, in bytes.
const maxPasswd = 1 << 20

// users makes sure that the lane's user has a name, and a home.
func (r *Root) users() error {
	for _, list := range []struct{ name, empty, line string }{
		{"/etc/passwd", "root:x:0:0:root:/root:" + KitShell + "\n", "lane:x:1000:1000:lane:/home/lane:" + KitShell + "\n"},
		{"/etc/group", "root:x:0:\n", "lane:x:1000:\n"},
	} {
		text := r.tree.text(r.layers, list.name, maxPasswd)
		if text == "" {
			text = list.empty
		}
		if _, found := lookUp(text, strconv.Itoa(laneUID), 2); found {
			continue
		}
		if !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		if err := r.file(list.name, 0o644, text+list.line); err != nil {
			return err
		}
	}
	home, base, err := r.place("/home/lane")
	if err == nil && home.children[base] == nil {
		r.tree.put(home, base, &inode{kind: tar.TypeDir, mode: 0o755, uid: laneUID, gid: laneUID})
	}
	return err
}

// user is who an image's program runs as: "", "node", "1000", "app:staff".
func (r *Root) user(text string) (uid, gid int) {
	name, group, grouped := strings.Cut(text, ":")
	if name == "" {
		return 0, 0
	}
	users := r.tree.text(r.layers, "/etc/passwd", maxPasswd)
	fields, found := lookUp(users, name, 0)
	if !found {
		fields, found = lookUp(users, name, 2)
	}
	uid, err := strconv.Atoi(name)
	if found && len(fields) > 3 {
		uid, err = strconv.Atoi(fields[2])
		gid, _ = strconv.Atoi(fields[3])
	}
	if err != nil || uid < 0 || uid > maxID {
		return -1, -1
	}
	if !grouped {
		return uid, gid
	}
	if fields, found := lookUp(r.tree.text(r.layers, "/etc/group", maxPasswd), group, 0); found && len(fields) > 2 {
		group = fields[2]
	}
	if gid, err = strconv.Atoi(group); err != nil || gid < 0 || gid > maxID {
		return -1, -1
	}
	return uid, gid
}

// lookUp finds the line of a list of users or groups by one of its fields.
func lookUp(text, value string, field int) ([]string, bool) {
	for line := range strings.Lines(text) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) > field && fields[field] == value {
			return fields, true
		}
	}
	return nil, false
}

// Properties of the image in Incus.
const (
	PropertyKit = "pushlane.kit" // its ID
	PropertyRun = "pushlane.run" // its Run as JSON
)

// Metadata is the metadata of the image in Incus, as a tar: the same for the
// same image, whatever it was called when it was pulled. It has no templates.
func (r *Root) Metadata(w io.Writer, k Kit) error {
	run, err := json.Marshal(r.Run)
	if err != nil {
		return err
	}
	if len(run) > maxRun {
		return fmt.Errorf("its environment and entry take %d bytes, at most %d are allowed", len(run), maxRun)
	}
	machine := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
	text, err := yaml.Marshal(map[string]any{"architecture": machine, "creation_date": 1,
		"properties": map[string]string{"os": "pushlane", "architecture": machine, "description": "an OCI image",
			PropertyKit: k.ID(), PropertyRun: string(run)}})
	if err != nil {
		return err
	}
	out := tar.NewWriter(w)
	if err := out.WriteHeader(&tar.Header{Name: "metadata.yaml", Mode: 0o644, Size: int64(len(text))}); err != nil {
		return err
	}
	if _, err := out.Write(text); err != nil {
		return err
	}
	return out.Close()
}
