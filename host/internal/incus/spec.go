package incus

import (
	"context"
	"fmt"
	"io"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/lxc/incus/v6/shared/units"

	"github.com/pushlane/pushlane/sdk"
)

// Source is a tree that containers get at /work/src.
type Source interface {
	ID() string // names the content
	WriteTar(ctx context.Context, w io.Writer, uid, gid int) error
}

// Limits are the host's ceilings, and what a container gets that asks for
// nothing.
type Limits struct {
	CPU       string // cores, "2"
	Memory    string // "4GiB"
	Disk      string
	Processes int
	Networks  []string // a lane with a network gets a device on the first; none: refused
	Images    []string // aliases or fingerprints; "*": any of the project
}

// Spec is one container to run.
type Spec struct {
	sdk.Container
	Address  string // repo@abc1234:lane
	Run      int64
	Repo     string // names the caches' owner, any text
	Attempt  int
	Deadline time.Time
	Source   Source
	Max      Limits
	Keep     Sink // gets the artifacts; may be nil when none are asked for
}

// Sink takes one artifact: a relative, clean name and its content.
type Sink interface {
	Keep(name string, size int64, content io.Reader) error
}

// checked is a spec in the terms of Incus.
type checked struct {
	Spec
	uid       int
	allowance string // limits.cpu.allowance
	memory    string
	disk      string
	processes int
	time      time.Duration
}

var (
	idForm    = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,39}$`)
	cacheForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)
	envForm   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// check re-validates what was asked for: Incus's own restrictions are not the
// only wall. Everything above a ceiling is refused, nothing is reduced.
func (s Spec) check() (checked, error) {
	k := checked{Spec: s}
	for _, step := range []func(*checked) error{checkIdentity, checkCommand, checkUser, checkPaths, checkSizes, checkReach} {
		if err := step(&k); err != nil {
			return k, fmt.Errorf("cannot launch container %q: %w", s.ID, err)
		}
	}
	return k, nil
}

func checkIdentity(k *checked) error {
	if !idForm.MatchString(k.ID) {
		return fmt.Errorf("its id is not of the form [a-z0-9][a-z0-9_-]*")
	}
	if k.Image == "" {
		k.Image = "default"
	}
	return nil
}

func checkCommand(k *checked) error {
	if len(k.Command) == 0 || k.Command[0] == "" {
		return fmt.Errorf("it has no command")
	}
	size := 0
	for _, arg := range k.Command {
		size += len(arg) + 1
		if strings.ContainsRune(arg, 0) {
			return fmt.Errorf("its command holds a NUL byte")
		}
	}
	for name, value := range k.Env {
		size += len(name) + len(value) + 2
		if !envForm.MatchString(name) || strings.ContainsRune(value, 0) {
			return fmt.Errorf("its environment holds %q, which is no variable's name or holds a NUL byte", name)
		}
	}
	if size > 128<<10 {
		return fmt.Errorf("its command and environment are %d bytes, at most %d are allowed", size, 128<<10)
	}
	return nil
}

func checkUser(k *checked) error {
	switch k.User {
	case "", "lane":
		k.uid = 1000
		return nil
	case "root":
		return nil
	}
	uid, err := strconv.Atoi(k.User)
	if err != nil || uid < 0 || uid > 65533 {
		return fmt.Errorf("its user is %q, want lane, root or a number up to 65533", k.User)
	}
	k.uid = uid
	return nil
}

func checkPaths(k *checked) error {
	if k.Cwd == "" {
		k.Cwd = "/work/src"
	}
	if !cleanAbs(k.Cwd) {
		return fmt.Errorf("its working folder %q is no clean absolute path", k.Cwd)
	}
	seen := map[string]bool{}
	for _, c := range k.Caches {
		if !cacheForm.MatchString(c.Name) || !cleanAbs(c.Path) || c.Path == "/" || under(c.Path, "/work/src") || under(c.Path, "/work/base") ||
			under("/work/src", c.Path) || seen[c.Path] {
			return fmt.Errorf("cache %q at %q: want a name of a-z, 0-9 and - and a path of its own outside /work/src", c.Name, c.Path)
		}
		seen[c.Path] = true
	}
	for _, a := range k.Artifacts {
		if !path.IsAbs(a) || strings.ContainsAny(a, "\n\x00") {
			return fmt.Errorf("artifact %q is no absolute path", a)
		}
	}
	return nil
}

func cleanAbs(p string) bool {
	return path.IsAbs(p) && path.Clean(p) == p && !strings.ContainsAny(p, "\n\x00,")
}

func under(p, dir string) bool { return p == dir || strings.HasPrefix(p, dir+"/") }

func checkSizes(k *checked) error {
	var err error
	if k.allowance, err = allowance(k.CPU, k.Max.CPU); err != nil {
		return err
	}
	if k.memory, err = size("memory", k.Memory, k.Max.Memory, 16<<20); err != nil {
		return err
	}
	if k.disk, err = size("disk", k.Disk, k.Max.Disk, 16<<20); err != nil {
		return err
	}
	k.processes = k.Processes
	if k.processes == 0 {
		k.processes = k.Max.Processes
	}
	if k.processes < 0 || k.processes > k.Max.Processes {
		return fmt.Errorf("it asks for %d processes, the policy allows %d", k.Processes, k.Max.Processes)
	}
	left := time.Until(k.Deadline)
	k.time = time.Duration(k.Millis) * time.Millisecond
	if k.Millis < 0 {
		return fmt.Errorf("it asks for %d milliseconds", k.Millis)
	}
	if k.Millis == 0 || k.time > left {
		k.time = left // the lane's own time ends first; both are told to the plugin
	}
	return nil
}

// allowance turns cores into a quota: limits.cpu would pin, and make Incus
// balance all containers at every start.
func allowance(asked, most string) (string, error) {
	if asked == "" {
		asked = most
	}
	want, err := strconv.ParseFloat(asked, 64)
	if err != nil || want < 0.01 {
		return "", fmt.Errorf("it asks for %q cores, want a number such as 2 or 0.5", asked)
	}
	if max, err := strconv.ParseFloat(most, 64); err != nil || want > max {
		return "", fmt.Errorf("it asks for %s cores, the policy allows %s", asked, most)
	}
	return fmt.Sprintf("%dms/100ms", int(want*100)), nil
}

func size(what, asked, most string, least int64) (string, error) {
	if asked == "" {
		asked = most
	}
	want, err := units.ParseByteSizeString(asked)
	if err != nil || want < least {
		return "", fmt.Errorf("it asks for %q of %s, want a size such as 2GiB, at least %d bytes", asked, what, least)
	}
	if max, err := units.ParseByteSizeString(most); err != nil || want > max {
		return "", fmt.Errorf("it asks for %s of %s, the policy allows %s", asked, what, most)
	}
	return strconv.FormatInt(want, 10) + "B", nil
}

// checkReach: image and network are within the policy.
func checkReach(k *checked) error {
	allowed := false
	for _, img := range k.Max.Images {
		allowed = allowed || img == "*" || img == k.Image
	}
	if !allowed {
		return fmt.Errorf("the policy does not allow image %q; it allows %s", k.Image, strings.Join(k.Max.Images, ", "))
	}
	if k.Network && len(k.Max.Networks) == 0 {
		return fmt.Errorf("it asks for a network, and the policy of this host has none (incus.networks)")
	}
	return nil
}
