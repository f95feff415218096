package sdk

import "slices"

// Wants tells whether the plugin is handed a part of the request: "run",
// "gate", "update", "changes" or "commits". A tool gets the changes as its
// arguments.
func (m *Manifest) Wants(key string) bool {
	return m.Input == nil || slices.Contains(m.Input, key) || key == "changes" && m.Tool != nil
}

// Seen leaves out of a request what the plugin with this manifest does not
// want or may not see, so that it can depend on nothing of it. The changes stay
// where they are: who asks for none of them asks for some (changes.list@1).
func (r Request) Seen(m Manifest) Request {
	if !m.Wants("run") {
		r.Run = ""
	}
	if !m.Wants("gate") {
		r.Gate = ""
	}
	if !m.Wants("update") {
		r.Update = Update{}
	}
	if !m.Wants("commits") || !slices.Contains(r.Granted, "repo.history") {
		r.Commits = nil
	}
	return r
}
