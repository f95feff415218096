package incus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pushlane/pushlane/host/internal/zone"
	"github.com/pushlane/pushlane/sdk"
)

// Source is the tree that a container sees at /work/src.
type Source interface {
	ID() string // hex object id: the same id has the same content
	WriteTar(ctx context.Context, w io.Writer, uid, gid int) error
}

// Spec is one container asked for: the plugin's words, who asks, and the
// ceiling. Every value above the ceiling is refused, never reduced.
type Spec struct {
	sdk.Container
	Address  string    // of the lane run, "repo@abc1234:lane"
	Run      int64     // the run's id in the host's store; an alias is resolved once per run, each time when 0
	Zone     zone.Zone // caches belong to it
	Attempt  int       // from 1
	Deadline time.Time // when the lane run ends; a minute later Sweep may take the container. Zero: an hour from now

	Source  Source            // nil: /work/src is empty
	Secrets map[string][]byte // by name; files below /run/secrets that only the command's user can read
	Max     Limits
	Keep    Sink // takes the artifacts; nil: artifacts are refused
}

// Sink takes one artifact: its absolute path in the container without the
// slash ("work/src/out/a.xml", clean) and its content. The container is still
// there and may change the file, so content can be shorter or longer than
// size; a sink answers that with an error. How much it takes is its decision.
type Sink interface {
	Keep(name string, size int64, content io.Reader) error
}

// Limits is what one container may ask for at most. An empty one allows
// nothing.
type Limits struct {
	CPU       string   // cores: "2", "0.5"
	Memory    string   // "4GiB"
	Disk      string   // root disk and each cache: "20GiB"
	Caches    string   // all caches of one zone: "60GiB"
	Processes int      // count
	Networks  []string // a container with a network gets a device on the first; none: refused
	Images    []string // aliases or fingerprints; "*": any in the project; none: refused
}

// What a container gets that does not say, or the ceiling where that is less.
const (
	defaultMemory    = 2 << 30
	defaultDisk      = 10 << 30
	defaultProcesses = 2048
	leastMemory      = 8 << 20
	leastDisk        = 32 << 20
)

// maxTime is the longest that any command may run.
const maxTime = 7 * 24 * time.Hour

const (
	workBase = "/work/base"
	workSrc  = "/work/src"
	laneUID  = 1000
)

// plan is a Spec that was found to be within its limits, in Incus's units.
type plan struct {
	Spec
	millicores, memory, disk int64 // thousandths of a core, bytes, bytes
	root                     int64 // bytes of the root disk: disk, or less where it was not asked for
	cacheBytes               int64 // of all caches of the zone
	processes                int
	limit                    time.Duration
	uid                      uint32
	instance                 string
	env                      map[string]string
	cwd                      string
	patterns                 []pattern
}

var (
	idForm    = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)
	cacheForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)
	aliasForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$`)
	envForm   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	cpuForm   = regexp.MustCompile(`^[0-9]{1,4}(\.[0-9]{1,3})?$`)
	sizeForm  = regexp.MustCompile(`^([0-9]{1,15})(B|KiB|MiB|GiB|TiB|kB|MB|GB|TB)?$`)
	uidForm   = regexp.MustCompile(`^[0-9]{1,5}$`)
)

// plan checks every word of the intent. It trusts neither the plugin nor the
// caller: what is not understood is refused.
func (s Spec) plan() (plan, error) {
	p := plan{Spec: s}
	steps := []func() error{p.checkNames, p.checkCommand, p.checkUser, p.checkEnv, p.checkSizes, p.checkTime,
		p.checkCaches, p.checkArtifacts}
	for _, step := range steps {
		if err := step(); err != nil {
			return plan{}, refused(s.ID, err)
		}
	}
	return p, nil
}

// Check says what is wrong with an intent, without running it: who takes its
// artifacts need not be known. ErrAbove is in the error where it asks for more
// than the limits allow.
func (s Spec) Check() error {
	s.Keep = unused{}
	_, err := s.plan()
	return err
}

// unused is the sink of an intent that is not run.
type unused struct{}

func (unused) Keep(string, int64, io.Reader) error { return errors.New("it is not run") }

// ErrAbove is an intent that asks for more than its limits allow.
var ErrAbove = errors.New("above the policy")

// above marks an error as one of the limits, not of the intent's form.
type above struct{ error }

func (a above) Is(target error) bool { return target == ErrAbove }

func refused(id string, err error) error {
	return failed(fmt.Sprintf("start container %q", short(id, 64)), err,
		"request less, or ask the host's owner to raise the limit in the policy: /etc/pushlane/config.toml")
}

func (p *plan) checkNames() error {
	switch {
	case !idForm.MatchString(p.ID):
		return fmt.Errorf("its id %q is not of the form [a-z0-9][a-z0-9_-]*", short(p.ID, 80))
	case len(p.Caches) > 0 && p.Zone.Check() != nil:
		return p.Zone.Check()
	case p.Attempt < 0 || p.Attempt > 1000:
		return fmt.Errorf("attempt %d is not one of 1 to 1000", p.Attempt)
	case p.Network && len(p.Max.Networks) == 0:
		return above{errors.New("this host does not allow network access")}
	}
	p.Image = or(p.Image, "default")
	if !aliasForm.MatchString(p.Image) || strings.Contains(p.Image, "..") {
		return fmt.Errorf("image %q is neither an alias nor a fingerprint", short(p.Image, 80))
	}
	return nil
}

func (p *plan) checkCommand() error {
	total := 0
	for _, arg := range p.Command {
		if strings.ContainsRune(arg, 0) {
			return errors.New("its command holds a NUL byte")
		}
		total += len(arg) + 1
	}
	switch {
	case len(p.Command) == 0 || p.Command[0] == "":
		return errors.New("it has no command")
	case len(p.Command) > 4096 || total > 120<<10:
		return fmt.Errorf("its command is too long: %d words, %d bytes (at most 4096 and 120 KiB)", len(p.Command), total)
	}
	p.cwd = or(p.Cwd, workSrc)
	if !path.IsAbs(p.cwd) || path.Clean(p.cwd) != p.cwd || len(p.cwd) > 4096 || strings.ContainsRune(p.cwd, 0) {
		return fmt.Errorf("cwd %q is not a clean absolute path", short(p.cwd, 80))
	}
	return nil
}

func (p *plan) checkUser() error {
	switch p.User {
	case "", "lane":
		p.uid = laneUID
	case "root":
		p.uid = 0
	default:
		n, err := strconv.ParseUint(p.User, 10, 32)
		if err != nil || !uidForm.MatchString(p.User) || n > 65533 {
			return fmt.Errorf("user %q is not lane, root or a number below 65534", short(p.User, 80))
		}
		p.uid = uint32(n)
	}
	return nil
}

func (p *plan) checkEnv() error {
	home, user := "/home/lane", "lane"
	switch p.uid {
	case 0:
		home, user = "/root", "root"
	case laneUID:
	default:
		home, user = "/tmp", strconv.Itoa(int(p.uid))
	}
	p.env = map[string]string{
		"HOME": home, "USER": user, "LOGNAME": user, "LANG": "C.UTF-8", "CI": "true",
		"PATH":     "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"PUSHLANE": "1", "PUSHLANE_RUN": p.Address,
	}
	if len(p.Env) > 256 {
		return fmt.Errorf("it sets %d variables (at most 256)", len(p.Env))
	}
	if err := p.checkSecretEnv(); err != nil {
		return err
	}
	total := 0
	for name, value := range p.Env {
		if !envForm.MatchString(name) || strings.ContainsRune(value, 0) {
			return fmt.Errorf("variable %q has no proper name or holds a NUL byte", short(name, 80))
		}
		total += len(name) + len(value)
		p.env[name] = value
	}
	if total > 64<<10 {
		return fmt.Errorf("its variables take %d bytes (at most 64 KiB)", total)
	}
	return nil
}

// checkSecretEnv checks variables that secrets are the values of.
func (p *plan) checkSecretEnv() error {
	for name, secret := range p.SecretEnv {
		_, twice := p.Env[name]
		switch {
		case !envForm.MatchString(name):
			return fmt.Errorf("variable %q has no proper name", short(name, 80))
		case twice:
			return fmt.Errorf("variable %q is set twice, once as a secret", short(name, 80))
		case !envForm.MatchString(secret):
			return fmt.Errorf("secret %q is not a name", short(secret, 80))
		case len(p.SecretEnv) > 64:
			return fmt.Errorf("it sets %d secret variables (at most 64)", len(p.SecretEnv))
		}
	}
	return nil
}

func (p *plan) checkSizes() (err error) {
	if p.millicores, err = within("cpu", p.CPU, p.Max.CPU, parseCPU, 1<<62, 10); err != nil {
		return err
	}
	if p.memory, err = within("memory", p.Memory, p.Max.Memory, ParseSize, defaultMemory, leastMemory); err != nil {
		return err
	}
	if p.disk, err = within("disk", p.Disk, p.Max.Disk, ParseSize, defaultDisk, leastDisk); err != nil {
		return err
	}
	p.processes = p.Processes
	if p.processes == 0 {
		p.processes = min(defaultProcesses, p.Max.Processes)
	}
	if p.processes < 4 || p.processes > p.Max.Processes {
		return above{fmt.Errorf("it asks for %d processes, the policy allows 4 to %d", p.processes, p.Max.Processes)}
	}
	return nil
}

// within parses what is asked and what is allowed and compares them.
func within(what, asked, allowed string, parse func(string) (int64, error), otherwise, least int64) (int64, error) {
	most, err := parse(allowed)
	if err != nil {
		return 0, fmt.Errorf("the policy's limit on %s: %w", what, err)
	}
	if asked == "" {
		return min(otherwise, most), nil
	}
	n, err := parse(asked)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%s: %w", what, err)
	case n > most:
		return 0, above{fmt.Errorf("it asks for %s %s, the policy allows %s", what, asked, allowed)}
	case n < least:
		return 0, fmt.Errorf("it asks for %s %s, which is too little to start", what, asked)
	}
	return n, nil
}

func parseCPU(text string) (int64, error) {
	if !cpuForm.MatchString(text) {
		return 0, fmt.Errorf("%q is not a number of cores such as 2 or 0.5", short(text, 40))
	}
	whole, part, _ := strings.Cut(text, ".")
	n, _ := strconv.ParseInt(whole, 10, 64)
	m, _ := strconv.ParseInt((part + "000")[:3], 10, 64)
	return n*1000 + m, nil
}

// ParseSize reads a size such as "512MiB", "2GB" or "4096", in bytes.
func ParseSize(text string) (int64, error) {
	m := sizeForm.FindStringSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("%q is not a size such as 512MiB or 2GiB", short(text, 40))
	}
	n, _ := strconv.ParseInt(m[1], 10, 64)
	unit := map[string]int64{"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
		"kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}[m[2]]
	if n > (1<<50)/unit {
		return 0, fmt.Errorf("%q is more than a pebibyte", short(text, 40))
	}
	return n * unit, nil
}

func (p *plan) checkTime() error {
	if p.Millis < 0 || p.Millis > maxTime.Milliseconds() {
		return fmt.Errorf("its time of %d ms is not one of 1 ms to %s", p.Millis, maxTime)
	}
	if p.Deadline.IsZero() {
		p.Deadline = time.Now().Add(time.Hour)
	}
	p.limit = time.Duration(p.Millis) * time.Millisecond
	if p.Millis == 0 {
		p.limit = maxTime // the caller's context ends it sooner
	}
	return nil
}

// Where no cache may be mounted: what Incus, the kernel or pushlane own.
var ownPaths = []string{"/work", "/proc", "/sys", "/dev", "/run", "/etc", "/bin", "/sbin", "/usr", "/lib", "/lib64",
	"/boot"}

func (p *plan) checkCaches() error {
	if len(p.Caches) > 16 {
		return fmt.Errorf("it asks for %d caches (at most 16)", len(p.Caches))
	}
	var err error
	if p.cacheBytes, err = ParseSize(p.Max.Caches); err != nil && len(p.Caches) > 0 {
		return fmt.Errorf("the policy's limits.caches: %w", err)
	}
	var names, paths []string
	for _, c := range p.Caches {
		if !cacheForm.MatchString(c.Name) || slices.Contains(names, c.Name) {
			return fmt.Errorf("cache %q: its name is not of the form [a-z0-9][a-z0-9-]* or appears twice",
				short(c.Name, 80))
		}
		if err := cleanPath("cache "+c.Name, c.Path); err != nil {
			return err
		}
		if c.Path == "/" || slices.ContainsFunc(ownPaths,
			func(own string) bool { return below(c.Path, own) && !below(c.Path, "/usr/local") }) {
			return fmt.Errorf("cache %s: %s cannot be a cache", c.Name, c.Path)
		}
		if slices.ContainsFunc(paths, func(other string) bool { return below(c.Path, other) || below(other, c.Path) }) {
			return fmt.Errorf("cache %s: %s is inside another cache", c.Name, c.Path)
		}
		names, paths = append(names, c.Name), append(paths, c.Path)
	}
	return nil
}

func below(name, dir string) bool { return name == dir || strings.HasPrefix(name, dir+"/") }

// cleanPath accepts absolute paths that mean what they say.
func cleanPath(what, name string) error {
	switch {
	case !path.IsAbs(name) || path.Clean(name) != name || len(name) > 1024:
		return fmt.Errorf("%s: %q is not a clean absolute path", what, short(name, 80))
	case !utf8.ValidString(name) || strings.ContainsFunc(name,
		func(r rune) bool { return r < 0x20 || r == 0x7f || r == ',' || r == ':' }):
		return fmt.Errorf("%s: %q contains characters that a mount does not accept", what, short(name, 80))
	}
	return nil
}

func short(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// sizeWord writes bytes as a person would.
func sizeWord(n int64) string {
	for _, unit := range []struct {
		name string
		size int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n >= unit.size && n%unit.size == 0 {
			return fmt.Sprintf("%d %s", n/unit.size, unit.name)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}
