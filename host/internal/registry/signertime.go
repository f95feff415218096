package registry

import (
	"strconv"
	"strings"
	"time"
)

// parseSignerTime reads YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS as OpenSSH
// does, with Z or UTC behind it or else of a zone, in seconds since 1970. Ok is
// false for anything else, 1970's first second and what is before it.
func parseSignerTime(text string, zone *time.Location) (seconds int64, ok bool) {
	text, zone = cutZone(text, zone)
	if len(text) != 8 && len(text) != 12 && len(text) != 14 {
		return 0, false
	}
	var field [6]int
	limits := [6][2]int{{0, 9999}, {1, 12}, {1, 31}, {0, 23}, {0, 59}, {0, 61}} // strptime's: leap seconds
	for i, at := range []int{0, 4, 6, 8, 10, 12} {
		width := 2
		if i == 0 {
			width = 4
		}
		if at >= len(text) {
			break
		}
		n, err := strconv.ParseUint(strings.TrimLeft(text[at:at+width], space), 10, 16)
		if field[i] = int(n); err != nil || field[i] < limits[i][0] || field[i] > limits[i][1] {
			return 0, false
		}
	}
	seconds = unixOf(field, zone)
	return seconds, seconds > 0
}

func cutZone(text string, zone *time.Location) (string, *time.Location) {
	switch l := len(text); {
	case l > 1 && strings.EqualFold(text[l-1:], "Z"):
		return text[:l-1], time.UTC
	case l > 3 && strings.EqualFold(text[l-3:], "UTC"):
		return text[:l-3], time.UTC
	}
	return text, zone
}

// unixOf is mktime(3) of a time without daylight saving: the zone's standard
// time counts in summer too.
func unixOf(f [6]int, zone *time.Location) int64 {
	at := func(zone *time.Location) time.Time {
		return time.Date(f[0], time.Month(f[1]), f[2], f[3], f[4], f[5], 0, zone)
	}
	local := at(zone)
	if local.IsDST() {
		if start, _ := local.ZoneBounds(); !start.IsZero() {
			local = start.Add(-time.Second)
		}
	}
	_, offset := local.Zone()
	return at(time.UTC).Unix() - int64(offset)
}
