package incus

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

func TestAdvisories(t *testing.T) {
	const volumes, project, images = "CVE-2025-64507", "CVE-2026-23953", "CVE-2026-63343"
	for version, want := range map[string][]string{
		"0.7":             {volumes, project, images},
		"6.0.4":           {volumes, project, images},
		"6.0.5":           {volumes, project, images},
		"6.0.6":           {images, "CVE-2026-33945"},
		"6.0.7":           nil,
		"6.0.10":          nil,
		"6.0":             {volumes, project, images},
		"6.1":             {volumes, project, images},
		"6.11":            {volumes, project, images},
		"6.12":            {volumes, project, images, "CVE-2025-52889", "CVE-2025-52890"},
		"6.13":            {volumes, project, images, "CVE-2025-52889", "CVE-2025-52890"},
		"6.14":            {volumes, project, images},
		"6.18":            {volumes, project, images},
		"6.19":            {project, images},
		"6.19.1":          {project, images},
		"6.20":            {project, images},
		"6.21":            {images, "CVE-2026-33945", "CVE-2026-33897"},
		"6.23":            {images, "CVE-2026-48749", "CVE-2026-48751"},
		"7.0.0":           {images, "CVE-2026-48749", "CVE-2026-48751"},
		"7.0.1":           {images, "CVE-2026-62940", "CVE-2026-63125"},
		"7.0.2":           nil,
		"7.1":             {images, "CVE-2026-48752"},
		"7.2":             {images, "CVE-2026-62940"},
		"7.3":             nil,
		"8.0.0":           nil,
		"6.0.4-2+deb13u7": {volumes, project, images},
	} {
		t.Run(version, func(t *testing.T) {
			got := fmt.Sprint(faults(version, "", volumesUnknown))
			for _, id := range want {
				if !strings.Contains(got, id) {
					t.Errorf("%s is missing in %s", id, got)
				}
			}
			for _, id := range []string{volumes, "CVE-2025-52890", project, images} {
				if strings.Contains(got, id) && !strings.Contains(fmt.Sprint(want), id) {
					t.Errorf("it has no %s: %s", id, got)
				}
			}
		})
	}
}

func TestFaultsThatADistributionFixed(t *testing.T) {
	all := ""
	for _, a := range advisories {
		all += " - " + a.id + " / GHSA\n"
	}
	for name, test := range map[string]struct {
		version, fixes string
		volumes        volumeAccess
		want           string
	}{
		"nothing known": {"6.0.6", "", volumesUnknown, "CVE-2026-33945, CVE-2026-48751, CVE-2026-62940: "},
		"all of them":   {"6.0.4", all, volumesUnknown, "[]"},
		"all but one": {"6.0.4", strings.Replace(all, "CVE-2026-48752", "", 1), volumesUnknown,
			"Incus 6.0.4 has CVE-2026-48752: " + meansImages},
		"an id that begins the same": {"6.0.4", strings.Replace(all, "CVE-2025-64507", "", 1), volumesUnknown,
			"Incus 6.0.4 has CVE-2025-64507: " + meansVolumes},
		"volumes that are seen to be":  {"6.0.4", strings.Replace(all, "CVE-2025-64507", "", 1), volumesClosed, "[]"},
		"volumes that are open anyway": {"7.3", all, volumesOpen, "Incus 7.3 has CVE-2025-64507: " + meansVolumes},
		"a version that is not one": {"main", all, volumesUnknown,
			`its version "main" is not a number: cannot check for known faults`},
		"a version of escapes":     {"\x1b[31m", all, volumesUnknown, "is not a number"},
		"a version without an end": {strings.Repeat("9", 5000), all, volumesUnknown, "[]"},
		"the hint for Debian's package": {"6.0.4", " - CVE-2025-64507\n", volumesUnknown,
			"apt-get update && apt-get install --only-upgrade incus-base; where your distribution has no fix yet, update " +
				"Incus to 6.0.7, 7.0.2, 7.3 or later"},
	} {
		t.Run(name, func(t *testing.T) {
			found := faults(test.version, test.fixes, test.volumes)
			if got := fmt.Sprint(found); !strings.Contains(got, test.want) {
				t.Errorf("got %s, want %s", got, test.want)
			}
			for _, f := range found {
				if f.Err != nil || !f.Warn || f.Hint == "" {
					t.Errorf("%+v is not a warning with a hint", f)
				}
			}
		})
	}
}

func TestPackageChanges(t *testing.T) {
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	fmt.Fprintln(w, "incus (6.0.4-2+deb13u2) trixie-security\n  * fix for CVE-2025-64507")
	w.Close()
	for name, test := range map[string]struct {
		doc  fstest.MapFS
		want bool
	}{
		"none":         {fstest.MapFS{}, false},
		"incus-base":   {fstest.MapFS{"incus-base/changelog.Debian.gz": {Data: zipped.Bytes()}}, true},
		"incus":        {fstest.MapFS{"incus/changelog.Debian.gz": {Data: zipped.Bytes()}}, true},
		"not a gzip":   {fstest.MapFS{"incus/changelog.Debian.gz": {Data: []byte("CVE-2025-64507")}}, false},
		"a broken one": {fstest.MapFS{"incus/changelog.Debian.gz": {Data: zipped.Bytes()[:zipped.Len()-4]}}, false},
	} {
		if got := strings.Contains(packageChanges(test.doc), "CVE-2025-64507"); got != test.want {
			t.Errorf("%s: found: %v, want %v", name, got, test.want)
		}
	}
}

func TestVolumesOnThisMachine(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "custom")
	if got := volumesAt(dir); got != volumesUnknown {
		t.Errorf("no folder: %v", got)
	}
	for mode, want := range map[os.FileMode]volumeAccess{0o700: volumesClosed, 0o711: volumesOpen, 0o755: volumesOpen,
		0o701: volumesOpen} {
		if err := os.MkdirAll(dir, mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		if got := volumesAt(dir); got != want {
			t.Errorf("mode %o: %v, want %v", mode, got, want)
		}
	}
}
