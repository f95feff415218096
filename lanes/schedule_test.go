package lanes

import (
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
		"@daily":                      "it has 1 fields, not the 5 of cron (minute hour day month weekday)",
		"0 0 8 * * *":                 "it has 6 fields, not the 5 of cron (minute hour day month weekday)",
		"60 * * * *":                  `minute "60": 60 is not from 0 to 59`,
		"* 24 * * *":                  `hour "24": 24 is not from 0 to 23`,
		"* * 0 * *":                   `day "0": 0 is not from 1 to 31`,
		"* * * 13 *":                  `month "13": 13 is not from 1 to 12`,
		"* * * * 8":                   `weekday "8": 8 is not from 0 to 7`,
		"* * * jan *":                 `month "jan": "jan" is not a number`,
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

func FuzzParseSchedule(f *testing.F) {
	f.Add("0 8-18/2 1,15 * 1-5")
	f.Fuzz(func(t *testing.T, line string) {
		if s, err := ParseSchedule(line); err == nil {
			s.Matches(time.Unix(0, 0))
		}
	})
}

func TestNearest(t *testing.T) {
	names := []string{"timeout", "title", "paths", "on", "needs"}
	for written, want := range map[string]string{"timout": "timeout", "titel": "title", "path": "paths", "ons": "on",
		"colour": "", "": "", "xyz": ""} {
		if got := nearest(written, names); got != want {
			t.Errorf("%q: got %q, want %q", written, got, want)
		}
	}
}
