package runjson

import "testing"

// TestArtifacts: those of the last attempt of each lane and update, in folders that differ.
func TestArtifacts(t *testing.T) {
	t.Parallel()
	run := Run{LaneRuns: []LaneRun{
		{Lane: "test", Attempt: 1, Artifacts: []File{{Name: "work/src/old"}}},
		{Lane: "test", Attempt: 2, Artifacts: []File{{Name: "work/src/out/a"}, {Name: "tmp/b"}}},
		{Lane: "test", Update: 1, Attempt: 1, Artifacts: []File{{Name: "c"}}},
	}}
	var got []string
	for _, l := range run.Newest() {
		for _, a := range l.Stored() {
			got = append(got, a.Folder()+"/"+a.Shown())
		}
	}
	if want := []string{"test/out/a", "test/tmp/b", "test-2/c"}; len(got) != 3 || got[0] != want[0] || got[1] != want[1] ||
		got[2] != want[2] {
		t.Errorf("got %q, want %q", got, want)
	}
}
