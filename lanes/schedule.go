package lanes

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Schedule is a parsed cron line of five fields, in UTC: minute, hour, day of
// the month, month, day of the week. A field is `*`, a number, a range `1-5`,
// a step `*/15` or `8-18/2`, or a list of these. Sunday is 0 or 7. When both
// day fields are restricted, either of them makes a day count, as in cron.
type Schedule struct {
	minute, hour, day, month, weekday uint64
	anyDay, anyWeekday                bool
}

type cronField struct {
	name      string
	low, high int
}

// ParseSchedule reads a cron line.
func ParseSchedule(line string) (Schedule, error) {
	fields := strings.Fields(line)
	if len(fields) != 5 {
		return Schedule{}, fmt.Errorf("it has %d fields, not the 5 of cron (minute hour day month weekday)", len(fields))
	}
	kinds := [5]cronField{{"minute", 0, 59}, {"hour", 0, 23}, {"day", 1, 31}, {"month", 1, 12}, {"weekday", 0, 7}}
	var sets [5]uint64
	for i, f := range kinds {
		set, err := f.parse(fields[i])
		if err != nil {
			return Schedule{}, fmt.Errorf("%s %q: %w", f.name, fields[i], err)
		}
		sets[i] = set
	}
	if sets[4]&(1<<7) != 0 {
		sets[4] |= 1
	}
	s := Schedule{
		minute: sets[0], hour: sets[1], day: sets[2], month: sets[3], weekday: sets[4],
		anyDay: strings.HasPrefix(fields[2], "*"), anyWeekday: strings.HasPrefix(fields[4], "*"),
	}
	if s.anyWeekday && !s.comes() {
		return Schedule{}, errors.New("no month has such a day")
	}
	return s, nil
}

func (f cronField) parse(text string) (uint64, error) {
	var set uint64
	for part := range strings.SplitSeq(text, ",") {
		low, high, step, err := f.parsePart(part)
		if err != nil {
			return 0, err
		}
		for n := low; n <= high; n += step {
			set |= 1 << n
		}
	}
	return set, nil
}

func (f cronField) parsePart(part string) (low, high, step int, err error) {
	span, every, stepped := strings.Cut(part, "/")
	step = 1
	if stepped {
		if step, err = f.number(every, 1, f.high); err != nil {
			return 0, 0, 0, err
		}
	}
	first, last, ranged := strings.Cut(span, "-")
	switch {
	case span == "*":
		return f.low, f.high, step, nil
	case stepped && !ranged:
		return 0, 0, 0, errors.New("a step needs * or a range before it")
	}
	if low, err = f.number(first, f.low, f.high); err != nil || !ranged {
		return low, low, step, err
	}
	if high, err = f.number(last, f.low, f.high); err == nil && high < low {
		err = fmt.Errorf("%d comes after %d", low, high)
	}
	return low, high, step, err
}

func (f cronField) number(text string, low, high int) (int, error) {
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
	for month := 1; month <= 12; month++ {
		days := time.Date(2024, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
		if s.month&(1<<month) != 0 && s.day&(1<<(days+1)-1) != 0 {
			return true
		}
	}
	return false
}

// Matches reports whether the schedule includes the minute of t.
func (s Schedule) Matches(t time.Time) bool {
	t = t.UTC()
	if s.minute&(1<<t.Minute()) == 0 || s.hour&(1<<t.Hour()) == 0 || s.month&(1<<t.Month()) == 0 {
		return false
	}
	day, weekday := s.day&(1<<t.Day()) != 0, s.weekday&(1<<t.Weekday()) != 0
	if s.anyDay || s.anyWeekday {
		return day && weekday
	}
	return day || weekday
}
