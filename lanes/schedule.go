package lanes

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/adhocore/gronx"
)

// Schedule is a parsed cron line, in UTC: the fields minute, hour, day of the
// month, month and day of the week, or a name such as @daily. A field is `*`,
// a number, a range `1-5`, a step `*/15` or `8-18/2`, or a list of these.
// Months and weekdays have names too, JAN to DEC and SUN to SAT; Sunday is 0
// or 7. `L` is the last day of the month, `15W` the weekday nearest to the
// 15th, `FRIL` (or `5L`) the last Friday and `MON#2` the second Monday of the
// month. When both day fields are restricted, either of them makes a day
// count, as in cron.
type Schedule struct{ fields []string }

type cronField struct {
	name      string
	low, high int
	names     []string // of low, low+1 and so on
}

const (
	cronMinute  = 0
	cronDay     = 2
	cronMonth   = 3
	cronWeekday = 4
)

var (
	cronFields = [5]cronField{{"minute", 0, 59, nil}, {"hour", 0, 23, nil}, {"day", 1, 31, nil},
		{"month", 1, 12, strings.Fields("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC")},
		{"weekday", 0, 7, strings.Fields("SUN MON TUE WED THU FRI SAT")}}
	cronTags = []string{"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@hourly"}
)

// ParseSchedule reads a cron line. Gronx, which decides what is due, reads
// much as something else (`1-5-9` as `1-5`) and checks a list only as far as
// the time of day needs it. So what a line may hold is checked here first.
func ParseSchedule(line string) (Schedule, error) {
	if err := checkCron(line); err != nil {
		return Schedule{}, err
	}
	fields, err := gronx.Segments(strings.Join(strings.Fields(line), " "))
	if err != nil {
		return Schedule{}, err
	}
	s := Schedule{fields: fields[1:]}
	if strings.HasPrefix(s.fields[cronWeekday], "*,") {
		s.fields[cronWeekday] = "*"
	}
	if strings.HasPrefix(s.fields[cronWeekday], "*") && !s.comes() {
		return Schedule{}, errors.New("no month has such a day")
	}
	return s, nil
}

func checkCron(line string) error {
	fields := strings.Fields(line)
	if len(fields) == 1 && strings.HasPrefix(fields[0], "@") {
		if !slices.Contains(cronTags, strings.ToLower(fields[0])) {
			return fmt.Errorf("%q is not one of %s", fields[0], strings.Join(cronTags, ", "))
		}
		return nil
	}
	if len(fields) != 5 {
		return fmt.Errorf("it has %d fields, not the 5 of cron (minute hour day month weekday)", len(fields))
	}
	for i, f := range cronFields {
		for part := range strings.SplitSeq(fields[i], ",") {
			if err := f.check(part); err != nil {
				return fmt.Errorf("%s %q: %w", f.name, fields[i], err)
			}
		}
	}
	return nil
}

func (f cronField) check(part string) error {
	if rest, special := f.special(strings.ToUpper(part)); special {
		_, err := f.number(rest)
		return err
	}
	span, every, stepped := strings.Cut(part, "/")
	if stepped {
		if _, err := between(every, 1, f.high); err != nil {
			return err
		}
	}
	first, last, ranged := strings.Cut(span, "-")
	switch {
	case span == "*":
		return nil
	case stepped && !ranged:
		return errors.New("a step needs * or a range before it")
	}
	low, err := f.number(first)
	if err != nil || !ranged {
		return err
	}
	high, err := f.number(last)
	switch {
	case err != nil || low <= high:
		return err
	case strings.EqualFold(last, "SUN"):
		return fmt.Errorf("%s comes after SUN; Sunday at the end of a range is 7", first)
	}
	return fmt.Errorf("%s comes after %s", first, last)
}

// special takes the sign off a part that names a day by its place in the
// month: L, 15W, 5L and 1#2. The rest is a number of the field.
func (f cronField) special(part string) (rest string, ok bool) {
	switch f.name {
	case "day":
		if part == "L" {
			return "1", true
		}
		return strings.CutSuffix(part, "W")
	case "weekday":
		rest, nth, found := strings.Cut(part, "#")
		if found && len(nth) == 1 && nth >= "1" && nth <= "5" {
			return rest, true
		}
		return strings.CutSuffix(part, "L")
	}
	return "", false
}

func (f cronField) number(text string) (int, error) {
	if i := slices.Index(f.names, strings.ToUpper(text)); i >= 0 {
		return f.low + i, nil
	}
	return between(text, f.low, f.high)
}

func between(text string, low, high int) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || text[0] < '0' || text[0] > '9' {
		return 0, fmt.Errorf("%q is not a number", text)
	}
	if n < low || n > high {
		return 0, fmt.Errorf("%d is not from %d to %d", n, low, high)
	}
	return n, nil
}

// comes reports whether any month of the schedule has any of its days.
func (s Schedule) comes() bool {
	for day := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() == 2024; day = day.AddDate(0, 0, 1) {
		if s.due(day, cronMonth) && s.due(day, cronDay) {
			return true
		}
	}
	return false
}

// due reports whether one field, by its number, names t.
func (s Schedule) due(t time.Time, field int) bool {
	c := gronx.SegmentChecker{}
	c.SetRef(t)
	due, err := c.CheckDue(s.fields[field], field+1) // gronx counts from the second
	return err == nil && due
}

// Matches reports whether the schedule includes the minute of t.
func (s Schedule) Matches(t time.Time) bool {
	t = t.UTC().Truncate(time.Minute)
	if !s.due(t, cronMinute) { // a third of the time where a host tries each minute of a day
		return false
	}
	g := gronx.New()
	g.C.SetRef(t)
	due, err := g.SegmentsDue(append([]string{"0"}, s.fields...))
	return err == nil && due
}
