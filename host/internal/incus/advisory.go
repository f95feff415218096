package incus

import (
	"compress/gzip"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/pushlane/pushlane/host/internal/bounded"
)

// advisory is a known fault of Incus that matters where containers run what
// no one has read. Those that need a user of Incus are here as far as they
// undo what restricts pushlane's project.
type advisory struct {
	id    string
	spans []span
	means string
}

// span is the versions from one on, up to the one with the fix; both are
// numbers with dots.
type span struct{ from, fixed string }

// What a fault means for pushlane.
const (
	meansVolumes = "root in a lane can leave set-uid programs on a cache, and users of this machine can run them"
	meansNetwork = "a lane with a network can impersonate another container on it"
	meansProject = "users of the restricted project can become root on the Incus server, so protect pushlane's " +
		"certificate like a root key"
	meansImages = "a third-party image can read and write files of the Incus server"
)

// advisories are from the project's advisories and the fixes in its branches
// 6.0, 7.0 and main.
var advisories = []advisory{
	{"CVE-2025-64507", []span{{"0", "6.0.6"}, {"6.1", "6.19"}}, meansVolumes},
	{"CVE-2025-52889", []span{{"6.12", "6.14"}}, meansNetwork},
	{"CVE-2025-52890", []span{{"6.12", "6.14"}}, meansNetwork},
	{"CVE-2026-23953", []span{{"0", "6.0.6"}, {"6.1", "6.21"}}, meansProject},
	{"CVE-2026-33945", []span{{"0", "6.0.7"}, {"6.1", "6.23"}}, meansProject},
	{"CVE-2026-48751", []span{{"0", "6.0.7"}, {"6.1", "7.0.1"}, {"7.1", "7.2"}}, meansProject},
	{"CVE-2026-62940", []span{{"0", "6.0.7"}, {"6.1", "7.0.2"}, {"7.1", "7.3"}}, meansProject},
	{"CVE-2026-23954", []span{{"0", "6.0.6"}, {"6.1", "6.21"}}, meansImages},
	{"CVE-2026-33897", []span{{"0", "6.0.7"}, {"6.1", "6.23"}}, meansImages},
	{"CVE-2026-48749", []span{{"0", "6.0.7"}, {"6.1", "7.0.1"}, {"7.1", "7.2"}}, meansImages},
	{"CVE-2026-48752", []span{{"0", "6.0.7"}, {"6.1", "7.0.1"}, {"7.1", "7.2"}}, meansImages},
	{"CVE-2026-63125", []span{{"0", "6.0.7"}, {"6.1", "7.0.2"}, {"7.1", "7.3"}}, meansImages},
	{"CVE-2026-63343", []span{{"0", "6.0.7"}, {"6.1", "7.0.2"}, {"7.1", "7.3"}}, meansImages},
}

// in reports whether a version has the fault.
func (a advisory) in(version []int) bool {
	for _, s := range a.spans {
		if !older(version, numbers(s.from)) && older(version, numbers(s.fixed)) {
			return true
		}
	}
	return false
}

var versionForm = regexp.MustCompile(`^[0-9]{1,6}(\.[0-9]{1,6}){0,3}`)

// numbers reads the numbers at the start of a version, "6.0.4" of
// "6.0.4-2+deb13u7"; nil where there are none.
func numbers(version string) []int {
	text := versionForm.FindString(version)
	if text == "" {
		return nil
	}
	var all []int
	for part := range strings.SplitSeq(text, ".") {
		n, _ := strconv.Atoi(part)
		all = append(all, n)
	}
	return all
}

// older compares versions; numbers that are not there are 0.
func older(a, b []int) bool {
	for i := range max(len(a), len(b)) {
		var x, y int
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		if x != y {
			return x < y
		}
	}
	return false
}

// advisories names the faults that this Incus has, one line for each
// thing they mean. Distributions fix faults without changing the version: what
// the package's changelog on this machine names is fixed.
func (c *checks) advisories(ctx context.Context) []Checked {
	server, err := c.conn.server(ctx)
	if err != nil {
		return nil // checkServer says so
	}
	fixes := ""
	if c.conn.cfg.URL == "" {
		fixes = packageChanges(os.DirFS("/usr/share/doc"))
	}
	volumes := volumesUnknown
	if c.conn.cfg.URL == "" {
		home := or(os.Getenv("INCUS_DIR"), "/var/lib/incus")
		volumes = volumesAt(filepath.Join(home, "storage-pools", c.conn.cfg.Pool, "custom"))
	}
	found := faults(server.Environment.ServerVersion, fixes, volumes)
	if len(found) == 0 {
		return []Checked{{Name: "incus", Message: fmt.Sprintf("it has none of %d known faults", len(advisories))}}
	}
	return found
}

// faults says what an Incus of that version has, given what its package's
// changelog names and what was seen of its volumes.
func faults(version, fixes string, volumes volumeAccess) []Checked {
	number := numbers(version)
	if number == nil {
		return []Checked{{Name: "incus", Warn: true,
			Message: fmt.Sprintf("its version %q is not a number: cannot check for known faults",
				short(version, 40)),
			Hint: "compare it with https://github.com/lxc/incus/security/advisories"}}
	}
	ids := map[string][]string{}
	for _, a := range advisories {
		has := a.in(number) && !strings.Contains(fixes, a.id)
		if a.means == meansVolumes && volumes != volumesUnknown {
			has = volumes == volumesOpen
		}
		if has {
			ids[a.means] = append(ids[a.means], a.id)
		}
	}
	var all []Checked
	for _, means := range []string{meansVolumes, meansNetwork, meansProject, meansImages} {
		if len(ids[means]) > 0 {
			all = append(all, Checked{Name: "incus", Warn: true, Hint: faultHint(means, fixes),
				Message: fmt.Sprintf("Incus %s has %s: %s", short(version, 40), strings.Join(ids[means], ", "), means)})
		}
	}
	return all
}

func faultHint(means, fixes string) string {
	update := "update Incus to 6.0.7, 7.0.2, 7.3 or later"
	if fixes != "" {
		update = "apt-get update && apt-get install --only-upgrade incus-base; " +
			"where your distribution has no fix yet, " + update
	}
	switch means {
	case meansVolumes:
		return update + "; until then: chmod 0700 the pool's folders custom and custom-snapshots"
	case meansImages:
		return update + "; until then import only images that you made"
	}
	return update
}

// volumeAccess is who may reach the custom volumes of a pool on this machine.
type volumeAccess int

const (
	volumesUnknown volumeAccess = iota
	volumesClosed
	volumesOpen // any user of the machine
)

// volumesAt looks at the folder that the volumes are mounted in; unknown where
// this user may not see it, or where it is not on this machine.
func volumesAt(custom string) volumeAccess {
	info, err := os.Stat(custom)
	switch {
	case err != nil:
		return volumesUnknown
	case info.Mode().Perm()&0o077 != 0:
		return volumesOpen
	}
	return volumesClosed
}

// packageChanges is the changelog of the Debian package that Incus came with;
// empty where there is none.
func packageChanges(doc fs.FS) string {
	for _, name := range []string{"incus-base/changelog.Debian.gz", "incus/changelog.Debian.gz"} {
		if text, err := unzip(doc, name); err == nil {
			return text
		}
	}
	return ""
}

// maxChanges is the largest changelog that is read, in bytes.
const maxChanges = 16 << 20

func unzip(doc fs.FS, name string) (string, error) {
	f, err := doc.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	zip, err := gzip.NewReader(f)
	if err != nil {
		return "", err
	}
	text, err := bounded.ReadAll(zip, maxChanges)
	return string(text), err
}
