package lanes

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestScheduleMatches(t *testing.T) {
	at := func(text string) time.Time {
		when, err := time.Parse("2006-01-02 15:04", text)
		if err != nil {
			t.Fatal(err)
		}
		return when
	}
	tests := map[string]struct {
		line    string
		yes, no []string
	}{
		"every morning": {"0 8 * * *", []string{"2026-01-02 08:00"},
			[]string{"2026-01-02 08:01", "2026-01-02 20:00"}},
		"every quarter of an hour": {"*/15 * * * *", []string{"2026-01-02 08:45"}, []string{"2026-01-02 08:50"}},
		"a range with a step": {"0 8-18/5 * * *", []string{"2026-01-02 13:00", "2026-01-02 18:00"},
			[]string{"2026-01-02 14:00", "2026-01-02 23:00"}},
		"a list":      {"0,30 1,2 * * *", []string{"2026-01-02 02:30"}, []string{"2026-01-02 03:00"}},
		"Sunday as 7": {"0 0 * * 7", []string{"2026-01-04 00:00"}, []string{"2026-01-05 00:00"}},
		"working days": {"0 0 * * 1-5", []string{"2026-01-05 00:00"},
			[]string{"2026-01-04 00:00", "2026-01-03 00:00"}},
		"a day of the year": {"0 0 29 2 *", []string{"2028-02-29 00:00"}, []string{"2026-03-01 00:00"}},
		"either day, as cron has it": {"0 0 13 * 5", []string{"2026-01-13 00:00", "2026-01-02 00:00"},
			[]string{"2026-01-14 00:00"}},
		"a star with a step is not a list": {"0 0 */2 * 1", []string{"2026-01-05 00:00"},
			[]string{"2026-01-12 00:00", "2026-01-03 00:00"}},
		"any amount of space": {" 0\t8  * * * ", []string{"2026-01-02 08:00"}, nil},
		"names of weekdays": {"0 8 * * mon-FRI", []string{"2026-01-05 08:00", "2026-01-09 08:00"},
			[]string{"2026-01-03 08:00", "2026-01-04 08:00"}},
		"names of months": {"0 0 1 JAN,jul *", []string{"2026-01-01 00:00", "2026-07-01 00:00"},
			[]string{"2026-06-01 00:00"}},
		"@daily":   {"@daily", []string{"2026-01-02 00:00"}, []string{"2026-01-02 00:01", "2026-01-02 12:00"}},
		"@hourly":  {"@hourly", []string{"2026-01-02 13:00"}, []string{"2026-01-02 13:30"}},
		"@weekly":  {"@Weekly", []string{"2026-01-04 00:00"}, []string{"2026-01-05 00:00"}},
		"@monthly": {"@monthly", []string{"2026-02-01 00:00"}, []string{"2026-02-02 00:00"}},
		"@yearly":  {"@yearly", []string{"2027-01-01 00:00"}, []string{"2026-02-01 00:00"}},
		"the last day of the month": {"0 0 L * *", []string{"2026-02-28 00:00", "2028-02-29 00:00", "2026-04-30 00:00"},
			[]string{"2028-02-28 00:00", "2026-05-30 00:00"}},
		"the last day and the 15th": {"0 0 15,L * *", []string{"2026-02-15 00:00", "2026-02-28 00:00"},
			[]string{"2026-02-27 00:00"}},
		"the working day nearest to the 15th": {"0 0 15W * *", []string{"2026-08-14 00:00", "2026-11-16 00:00"},
			[]string{"2026-08-15 00:00", "2026-11-15 00:00"}},
		"the last Friday": {"0 0 * * FRIL", []string{"2026-01-30 00:00"}, []string{"2026-01-23 00:00"}},
		"the second Monday": {"0 0 * * mon#2", []string{"2026-01-12 00:00"},
			[]string{"2026-01-05 00:00", "2026-01-19 00:00"}},
	}
	for name, test := range tests {
		s, err := ParseSchedule(test.line)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, text := range test.yes {
			if !s.Matches(at(text)) {
				t.Errorf("%s: %s is not in it", name, text)
			}
		}
		for _, text := range test.no {
			if s.Matches(at(text)) {
				t.Errorf("%s: %s is in it", name, text)
			}
		}
	}
	s, _ := ParseSchedule("0 8 * * *")
	if !s.Matches(time.Date(2026, 1, 2, 10, 0, 30, 0, time.FixedZone("", 2*3600))) {
		t.Error("a time of another zone is not read as UTC")
	}
}

func TestParseScheduleRefuses(t *testing.T) {
	tests := map[string]string{
		"":                            "it has 0 fields, not the 5 of cron (minute hour day month weekday)",
		"@reboot":                     `"@reboot" is not one of @yearly, @annually, @monthly, @weekly, @daily, @hourly`,
		"@always":                     `"@always" is not one of @yearly, @annually, @monthly, @weekly, @daily, @hourly`,
		"@daily 8 * * *":              `minute "@daily": "@daily" is not a number`,
		"0 0 8 * * *":                 "it has 6 fields, not the 5 of cron (minute hour day month weekday)",
		"60 * * * *":                  `minute "60": 60 is not from 0 to 59`,
		"* 24 * * *":                  `hour "24": 24 is not from 0 to 23`,
		"* * 0 * *":                   `day "0": 0 is not from 1 to 31`,
		"* * * 13 *":                  `month "13": 13 is not from 1 to 12`,
		"* * * * 8":                   `weekday "8": 8 is not from 0 to 7`,
		"* * * sun *":                 `month "sun": "sun" is not a number`,
		"JAN * * * *":                 `minute "JAN": "JAN" is not a number`,
		"* * * * SUNDAY":              `weekday "SUNDAY": "SUNDAY" is not a number`,
		"* * * * FRI-SUN":             `weekday "FRI-SUN": FRI comes after SUN; Sunday at the end of a range is 7`,
		"1-5-9 * * * *":               `minute "1-5-9": "5-9" is not a number`,
		"*/5/2 * * * *":               `minute "*/5/2": "5/2" is not a number`,
		"? * * * *":                   `minute "?": "?" is not a number`,
		"0,99 * * * *":                `minute "0,99": 99 is not from 0 to 59`,
		"0 0 LW * *":                  `day "LW": "L" is not a number`,
		"0 0 32W * *":                 `day "32W": 32 is not from 1 to 31`,
		"0 0 1-L * *":                 `day "1-L": "L" is not a number`,
		"0 0 15WX * *":                `day "15WX": "15WX" is not a number`,
		"0 0 * * L":                   `weekday "L": "" is not a number`,
		"0 0 * * 8L":                  `weekday "8L": 8 is not from 0 to 7`,
		"0 0 * * 1#6":                 `weekday "1#6": "1#6" is not a number`,
		"0 0 30W 2 *":                 "no month has such a day",
		"-1 * * * *":                  `minute "-1": "" is not a number`,
		"+1 * * * *":                  `minute "+1": "+1" is not a number`,
		"5-1 * * * *":                 `minute "5-1": 5 comes after 1`,
		"*/0 * * * *":                 `minute "*/0": 0 is not from 1 to 59`,
		"*/99 * * * *":                `minute "*/99": 99 is not from 1 to 59`,
		"5/2 * * * *":                 `minute "5/2": a step needs * or a range before it`,
		"1,, * * * *":                 `minute "1,,": "" is not a number`,
		"*-5 * * * *":                 `minute "*-5": "*" is not a number`,
		"0 0 31 2,4 *":                "no month has such a day",
		"0 0 30 2 */2":                "no month has such a day",
		"9999999999999999999 * * * *": `minute "9999999999999999999": "9999999999999999999" is not a number`,
	}
	for line, want := range tests {
		if _, err := ParseSchedule(line); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", line, err, want)
		}
	}
}

// byCalendar is a second reading of a cron line: each field as the set of its
// numbers, and the days by walking the month.
type byCalendar [5]string

func (c byCalendar) due(t time.Time) bool {
	for i, n := range []int{t.Minute(), t.Hour(), 0, int(t.Month())} {
		if i != cronDay && !c.names(i, n) {
			return false
		}
	}
	day, weekday := c.day(t), c.weekday(t)
	if strings.HasPrefix(c[cronDay], "*") || strings.HasPrefix(c[cronWeekday], "*") {
		return day && weekday
	}
	return day || weekday
}

func (c byCalendar) names(field, n int) bool {
	for part := range strings.SplitSeq(c[field], ",") {
		span, every, _ := strings.Cut(part, "/")
		low, high := cronFields[field].low, cronFields[field].high
		if span != "*" {
			first, last, ranged := strings.Cut(span, "-")
			low, _ = cronFields[field].number(first)
			if high = low; ranged {
				high, _ = cronFields[field].number(last)
			}
		}
		step, _ := strconv.Atoi(every)
		for at := low; at <= high; at += max(step, 1) {
			if at == n {
				return true
			}
		}
	}
	return false
}

func (c byCalendar) day(t time.Time) bool {
	for part := range strings.SplitSeq(strings.ToUpper(c[cronDay]), ",") {
		number, working := strings.CutSuffix(part, "W")
		switch {
		case part == "L" && t.AddDate(0, 0, 1).Day() == 1:
			return true
		case working:
			n, _ := strconv.Atoi(number)
			if t.Day() == nearestWorkingDay(t, n) {
				return true
			}
		case part != "L" && (byCalendar{cronDay: part}).names(cronDay, t.Day()):
			return true
		}
	}
	return false
}

// nearestWorkingDay is 0 where the month of t has no day n.
func nearestWorkingDay(t time.Time, n int) int {
	month := time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
	last := month.AddDate(0, 1, -1).Day()
	if n > last {
		return 0
	}
	switch month.AddDate(0, 0, n-1).Weekday() {
	case time.Saturday:
		if n == 1 {
			return 3
		}
		return n - 1
	case time.Sunday:
		if n == last {
			return n - 2
		}
		return n + 1
	}
	return n
}

func (c byCalendar) weekday(t time.Time) bool {
	today := int(t.Weekday())
	for part := range strings.SplitSeq(strings.ToUpper(c[cronWeekday]), ",") {
		name, nth, counted := strings.Cut(part, "#")
		name, last := strings.CutSuffix(name, "L")
		switch n, _ := cronFields[cronWeekday].number(name); {
		case counted:
			if n%7 == today && nth == strconv.Itoa((t.Day()+6)/7) {
				return true
			}
		case last:
			if n%7 == today && t.AddDate(0, 0, 7).Month() != t.Month() {
				return true
			}
		default:
			c := byCalendar{cronWeekday: part}
			if c.names(cronWeekday, today) || today == 0 && c.names(cronWeekday, 7) {
				return true
			}
		}
	}
	return false
}

// sameAsCalendar compares a line's schedule with the second reading on 200
// minutes of ten years, for lines of five fields.
func sameAsCalendar(t *testing.T, line string, random *rand.Rand) {
	t.Helper()
	s, err := ParseSchedule(line)
	fields := strings.Fields(line)
	if err != nil || len(fields) != 5 {
		return
	}
	c := byCalendar(fields)
	for range 200 {
		at := time.Date(2024, 1, 1, 0, random.IntN(10*366*24*60), 0, 0, time.UTC)
		if random.IntN(2) == 0 { // most lines name the first of something
			at = at.Truncate(time.Hour)
		}
		if got := s.Matches(at); got != c.due(at) {
			t.Fatalf("%q at %s: got %t, the calendar says %t", line, at.Format("Mon 2006-01-02 15:04"), got, !got)
		}
	}
}

func FuzzParseSchedule(f *testing.F) {
	f.Add("0 8-18/2 1,15 * 1-5")
	f.Add("*/15 * L JAN,jul MON-FRI")
	f.Add("0 0 15W,31W * FRIL,7#2,*/2")
	f.Add("@daily")
	f.Fuzz(func(t *testing.T, line string) { sameAsCalendar(t, line, rand.New(rand.NewPCG(1, uint64(len(line))))) })
}

// Every kind of part in every field, in random lists, against the second
// reading.
func TestScheduleIsWhatACalendarSays(t *testing.T) {
	parts := [5][]string{
		{"*", "0", "*/7", "5-50/9", "59"},
		{"*", "0", "*/5", "8-18", "23"},
		{"*", "1", "31", "L", "15W", "1W", "31W", "*/2", "10-20/3"},
		{"*", "JAN", "feb", "2", "*/3", "JUN-AUG"},
		{"*", "0", "7", "MON-FRI", "5-7", "FRIL", "0L", "7#1", "mon#5", "*/2", "2-7/5"},
	}
	random, accepted := rand.New(rand.NewPCG(1, 2)), 0
	for range 400 {
		var fields [5]string
		for i, p := range parts {
			fields[i] = p[random.IntN(len(p))]
			for range random.IntN(3) {
				fields[i] += "," + p[random.IntN(len(p))]
			}
		}
		line := strings.Join(fields[:], " ")
		if _, err := ParseSchedule(line); err == nil {
			accepted++
		}
		sameAsCalendar(t, line, random)
	}
	if accepted < 380 {
		t.Errorf("only %d of 400 lines were accepted", accepted)
	}
}

func TestNearest(t *testing.T) {
	names := []string{"timeout", "title", "paths", "on", "needs"}
	for written, want := range map[string]string{"timout": "timeout", "titel": "title", "path": "paths", "ons": "on",
		"colour": "", "": "", "xyz": ""} {
		if got := Nearest(written, names); got != want {
			t.Errorf("%q: got %q, want %q", written, got, want)
		}
	}
}

// BenchmarkSchedule looks at a day minute by minute, as the host does for a
// lane that is due once a day.
func BenchmarkSchedule(b *testing.B) {
	s, err := ParseSchedule("0 8 * * MON-FRI")
	if err != nil {
		b.Fatal(err)
	}
	start := time.Date(2026, 1, 5, 8, 1, 0, 0, time.UTC)
	for b.Loop() {
		for i := range 24 * 60 {
			s.Matches(start.Add(time.Duration(i) * time.Minute))
		}
	}
}
