package store

import (
	"context"
	"testing"
	"unicode/utf8"
)

func TestEscape(t *testing.T) {
	for given, want := range map[string]string{
		"": "", "refs/heads/main": "refs/heads/main", "grün\n€𝄞": "grün\n€𝄞", "\uFFFD": "\uFFFD",
		"a\xffb": "a\U0010FFFFb", "\x00": "\U0010FF00", "\xe2\x82": "\U0010FFE2\U0010FF82",
		"\U0010FF00": "\U0010FFF4\U0010FF8F\U0010FFBC\U0010FF80",
	} {
		if got := escape(given); got != want {
			t.Errorf("%q: got %q, want %q", given, got, want)
		}
	}
}

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"a", "\xff\x00", "\U0010FF41", "\U0010FFFF\xf4\x8f", "\xed\xa0\x80"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e := escape(s)
		if !utf8.ValidString(e) || unescape(e) != s {
			t.Errorf("%q became %q and %q", s, e, unescape(e))
		}
		for i := range e {
			if e[i] == 0 {
				t.Errorf("%q has a zero", e)
			}
		}
	})
}

// TestHostileText comes back as it was, whatever bytes, and is found by it.
func TestHostileText(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		ctx, s := context.Background(), on.fresh(t)
		for _, text := range []string{"a\x00b", "\xff\xfe", "'; DROP TABLE runs; --", "?1 $1 %s", "\U0010FF41\U0010FFFF",
			"\u202e\x1b[2J", "\xed\xa0\x80"} {
			n := waiting("/"+text, 1)
			n.RepoName, n.Pusher, n.Origin, n.Updates[0].Ref, n.Lanes[1].Lane, n.Lanes[1].Path = text, text, text, text, text,
				text
			run := begin(t, s, n)
			record(t, s, run.ID, Event{Kind: "x", Message: text},
				Result{LaneRun: run.Lanes[0].ID, From: Queued, State: Broken, Message: text,
					Findings: []Finding{{Path: text}}, Artifacts: []File{{Name: text}}})
			got, err := s.RunByOrigin(ctx, "/"+text, text)
			if err != nil || got.RepoName != text || got.Pusher != text || got.Updates[0].Ref != text ||
				got.Lanes[0].Lane != text ||
				got.Lanes[0].Path != text || got.Lanes[0].Message != text ||
				string(got.Updates[0].Lanes.Text) != "version = 1\n\x00\xff" {
				t.Errorf("%q: %+v %v", text, got, err)
			}
			findings, _ := s.Findings(ctx, run.ID)
			artifacts, _ := s.Artifacts(ctx, run.Lanes[0].ID)
			events, _ := s.Events(ctx, run.ID)
			if findings[0].Path != text || artifacts[0].Name != text || events[2].Message != text {
				t.Errorf("%q: %v %v %v", text, findings, artifacts, events)
			}
			if runs, err := s.Runs(ctx, Filter{Ref: text}); err != nil || len(runs) != 1 {
				t.Errorf("%q: %d runs of that ref, %v", text, len(runs), err)
			}
		}
	})
}
