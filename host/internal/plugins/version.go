package plugins

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// versionForm is semver's (semver.org), with one to four numbers in place of
// three, a "v" before them, and leading zeros, as dates have them.
var versionForm = regexp.MustCompile(`^v?([0-9]+(?:\.[0-9]+){0,3})` +
	`(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?$`)

// compareVersions orders two versions as semver does: below zero, a is older.
// Ok is false where one of them is not a version. Build metadata does not count.
func compareVersions(a, b string) (order int, ok bool) {
	ma, mb := versionForm.FindStringSubmatch(a), versionForm.FindStringSubmatch(b)
	if ma == nil || mb == nil {
		return 0, false
	}
	if order = compareNumbers(ma[1], mb[1]); order != 0 {
		return order, true
	}
	return comparePre(ma[2], mb[2]), true
}

// compareNumbers orders "1.2" and "1.10.3"; a number that is not there is 0.
func compareNumbers(a, b string) int {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range max(len(as), len(bs)) {
		x, y := "0", "0"
		if i < len(as) {
			x = as[i]
		}
		if i < len(bs) {
			y = bs[i]
		}
		if order := compareNumber(x, y); order != 0 {
			return order
		}
	}
	return 0
}

// compareNumber orders decimal numbers of any length.
func compareNumber(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

// comparePre orders what is behind the numbers: nothing is newest, numbers are
// older than words.
func comparePre(a, b string) int {
	if a == "" || b == "" {
		return cmp.Compare(len(b), len(a))
	}
	return slices.CompareFunc(strings.Split(a, "."), strings.Split(b, "."), func(x, y string) int {
		nx, ny := digits(x), digits(y)
		switch {
		case nx && ny:
			return compareNumber(x, y)
		case nx != ny && nx:
			return -1
		case nx != ny:
			return 1
		}
		return strings.Compare(x, y)
	})
}

func digits(text string) bool { return strings.Trim(text, "0123456789") == "" }

// notNewer says why a version is not clearly newer than another; empty: it is.
func notNewer(old, now string) string {
	order, ok := compareVersions(old, now)
	switch {
	case !ok:
		return "it cannot be determined which of these versions is newer"
	case order == 0:
		return "it has the same version but is another module"
	case order > 0:
		return "it is older"
	}
	return ""
}
