package sdk

import "slices"

// Wants reports whether the plugin receives a part of the request: "run", "gate",
// "update", "changes" or "commits". A tool gets the changes as its arguments.
func (m *Manifest) Wants(key string) bool {
	return m.Input == nil || slices.Contains(m.Input, key) || key == "changes" && m.Tool != nil
}

// For is the manifest for a lane with these settings, JSON: with the input that
// input_if adds. A setting that is false adds nothing.
func (m Manifest) For(with []byte) Manifest {
	settings, err := ParseValue(with)
	if err != nil || m.Input == nil {
		return m
	}
	for name, keys := range m.InputIf {
		if v := settings.Get(name); v.Exists() && (v.kind != 'f' && v.kind != 't' || v.Bool()) {
			m.Input = slices.Concat(m.Input, keys)
		}
	}
	return m
}

// Seen removes the parts of a request that the plugin with this manifest does not
// list or may not see, so that it cannot depend on them. The changes stay available
// through changes.list@1.
func (r Request) Seen(m Manifest) Request {
	m = m.For(r.With)
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
