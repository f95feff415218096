package main

import (
	"errors"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/pushlane/pushlane/sdk"
)

// settings are the lane's, see README.md.
type settings struct {
	conflictMarkers bool
	privateKeys     bool
	trailing        bool
	history         bool  // also what the commits add on the way
	maxSize         int64 // bytes; 0: no limit
	forbidden       []string
	allow           []string
}

func readSettings(run *sdk.Run) (settings, error) {
	s := settings{
		conflictMarkers: run.With("conflict_markers").BoolOr(true),
		privateKeys:     run.With("private_keys").BoolOr(true),
		history:         run.With("history").BoolOr(true),
		trailing:        run.With("trailing_whitespace").Bool(),
		forbidden:       run.With("forbidden").Strings(),
		allow:           run.With("allow").Strings(),
	}
	if run.With("tokens").Bool() {
		return s, errors.New("setting tokens: take it out and add a lane with plugin = \"secrets\": " +
			"it finds these tokens, and those of more services")
	}
	for _, glob := range slices.Concat(s.forbidden, s.allow) {
		if _, err := sdk.Match(glob, ""); err != nil {
			return s, errors.New("setting: " + strconv.Quote(glob) + " is not a glob: " + path.ErrBadPattern.Error())
		}
	}
	var err error
	if text := run.With("max_size"); text.Exists() {
		s.maxSize, err = parseSize(text.String())
	}
	return s, err
}

// allowed reports whether a path is excepted from all rules.
func (s settings) allowed(name string) bool {
	for _, glob := range s.allow {
		if ok, _ := sdk.Match(glob, name); ok {
			return true
		}
	}
	return false
}

// units are what a size may end in, the largest first.
func units() []struct {
	name  string
	bytes int64
} {
	return []struct {
		name  string
		bytes int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}
}

// parseSize reads "1MiB", "500KiB" or "2048": a whole number above zero.
func parseSize(text string) (int64, error) {
	number, factor := text, int64(1)
	for _, u := range units() {
		if cut, ok := strings.CutSuffix(text, u.name); ok {
			number, factor = cut, u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 1 || n > (1<<62)/factor {
		return 0, errors.New("setting max_size: want a size such as \"1MiB\", found " + strconv.Quote(text))
	}
	return n * factor, nil
}

// size writes bytes for a person, rounded up so that it never reads as less.
func size(n int64) string {
	for _, u := range units() {
		if n >= u.bytes {
			tenths := (n*10 + u.bytes - 1) / u.bytes
			if u.bytes == 1 || tenths%10 == 0 {
				return strconv.FormatInt(tenths/10, 10) + " " + u.name
			}
			return strconv.FormatInt(tenths/10, 10) + "." + strconv.FormatInt(tenths%10, 10) + " " + u.name
		}
	}
	return "0 B"
}
