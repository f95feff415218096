package sdk

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Run is one lane run as its plugin sees it. Its methods may be called from
// several goroutines.
type Run struct {
	Request
	session Session
	with    Value
	faults  faults
	host    hostCalls
	buffers buffers
	waiting chan struct{} // a goroutine waits for a container that is not there yet

	mu      sync.Mutex // guards all below
	out     bytes.Buffer
	silent  bool // the answer is given: what comes now is dropped
	errors  int  // findings of level error
	found   int  // findings written
	more    int  // findings not written, above the limit
	verdict string
	reason  string
	jobs    []*Job
	replay  int // results of earlier calls not asked for yet

	attributes *attributeFiles
	pump       pump
}

// Session is the input and output of a run. Main uses the process's own; package
// sdktest makes others.
type Session struct {
	In          io.Reader // the request
	Out         io.Writer // the records
	Log         io.Writer // free text
	Src, Base   string    // folders of the two trees; Base may be empty
	History     string    // folder of blobs by id, where the host gives none otherwise; may be empty
	Results     string    // folder of the containers' artifacts
	Artifacts   string    // folder for the plugin's own; empty: it may keep none
	WithImports bool      // module lane1 can be called
}

// Main is a plugin's main function: it reads the request from standard input,
// calls check, writes the records to standard output and ends the process.
// The exit status is 0 for pass or skip, 1 for fail (a finding of level error,
// or Fail), 2 when check returned an error: then the plugin could not decide.
//
// Built for another system than wasip1 it is a dry run: /src is the folder in
// PUSHLANE_SRC or the working folder, /base, /results and /out those in
// PUSHLANE_BASE, PUSHLANE_RESULTS and PUSHLANE_OUT.
func Main(check func(*Run) error) {
	os.Exit(process().Serve(check))
}

// Serve performs one call of the plugin and returns its exit status. If check waits
// for containers without a result yet, it returns 0 after requesting them, and
// leaves the waiting goroutines behind.
func (s Session) Serve(check func(*Run) error) int {
	r, err := s.open()
	if err != nil {
		return s.broken(err)
	}
	done := make(chan error, 1)
	go func() { done <- check(r) }()
	select {
	case err = <-done:
	case <-r.waiting:
		r.settleDown()
		return r.ask()
	}
	return r.finish(err)
}

func (s Session) open() (*Run, error) {
	text, err := readAll(s.In)
	if err != nil {
		return nil, errors.New("cannot read request: " + err.Error())
	}
	r := &Run{session: s, waiting: make(chan struct{}, 1)}
	r.attributes = &attributeFiles{run: r}
	if r.Request, err = ParseRequest(text); err != nil {
		return nil, errors.New("cannot read request: " + err.Error())
	}
	if r.ABI != ABI {
		return nil, errors.New("cannot read request: the host speaks ABI " + strconv.Itoa(r.ABI) + ", this plugin " +
			strconv.Itoa(ABI))
	}
	if len(r.Request.With) > 0 {
		if r.with, err = ParseValue(r.Request.With); err != nil {
			return nil, errors.New("cannot read settings: " + err.Error())
		}
	}
	r.replay = len(r.Results)
	return r, nil
}

// readAll allocates at once the size that the host reports.
func readAll(in io.Reader) ([]byte, error) {
	var b bytes.Buffer
	if f, is := in.(*os.File); is {
		if info, err := f.Stat(); err == nil && info.Size() < 1<<30 {
			b.Grow(int(info.Size()) + bytes.MinRead)
		}
	}
	_, err := b.ReadFrom(in)
	return b.Bytes(), err
}

// broken says why the plugin cannot decide.
func (s Session) broken(err error) int {
	io.WriteString(s.Log, err.Error()+"\n")
	return 2
}

// settleDown lets the other goroutines come to where they wait too, so that
// their containers are asked for in the same call.
func (r *Run) settleDown() {
	count := func() int {
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.jobs)
	}
	for before := -1; before != count(); {
		before = count()
		for range 64 {
			runtime.Gosched()
		}
	}
}

// ask ends this call with the records of the containers that are wanted.
func (r *Run) ask() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.faults.err(); err != nil {
		return r.session.broken(err)
	}
	for _, j := range r.jobs {
		if !j.have && j.err == nil {
			r.put(Record{Type: "container", Container: &j.container})
		}
	}
	return r.end(0)
}

// finish ends the run with what check made of it.
func (r *Run) finish(err error) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.errors > 0 && r.verdict != "fail" {
		r.verdict, r.reason = "fail", ""
	}
	if err == nil && r.verdict != "fail" {
		err = r.forgotten()
	}
	if faults := r.faults.err(); faults != nil {
		err = faults // what check made of them is not news
	}
	if err != nil {
		return r.session.broken(err)
	}
	if r.more > 0 {
		r.put(Record{Type: "progress", Message: strconv.Itoa(r.more) + " more findings are not listed"})
	}
	exit := 0
	if r.verdict == "fail" {
		exit = 1
	}
	if r.verdict != "" && (r.verdict == "skip" || r.reason != "") {
		r.put(Record{Type: "verdict", Verdict: r.verdict, Message: r.reason})
	}
	return r.end(exit)
}

// forgotten: a container whose result was not read must not become a pass.
func (r *Run) forgotten() error {
	for _, j := range r.jobs {
		if !j.waited {
			return errors.New("container " + j.container.ID + " was started and never waited for")
		}
	}
	return nil
}

func (r *Run) end(exit int) int {
	r.silent = true
	if _, err := r.session.Out.Write(r.out.Bytes()); err != nil {
		return r.session.broken(errors.New("cannot write records: " + err.Error()))
	}
	return exit
}

// put appends a record to the answer. Callers hold mu.
func (r *Run) put(record Record) {
	if r.silent {
		return
	}
	r.out.Write(append(record.AppendJSON(r.out.AvailableBuffer()), '\n'))
}

// Can reports whether the run has a capability.
func (r *Run) Can(capability string) bool { return slices.Contains(r.Granted, capability) }

// With returns a setting of the lane, an absent Value if it is not set. The host has
// validated the settings against the manifest's schema; reading one as another type
// makes the run broken.
func (r *Run) With(key string) Value {
	return r.with.at("", &r.faults).Get(key)
}

// Read returns the content of a file in the pushed tree.
func (r *Run) Read(name string) ([]byte, error) { return readIn(r.session.Src, name) }

// ReadBase returns the content of a file in the tree that the changes are relative
// to.
func (r *Run) ReadBase(name string) ([]byte, error) { return readIn(r.session.Base, name) }

// Open opens a file in the pushed tree, for one too large to be read at once.
func (r *Run) Open(name string) (*os.File, error) { return openIn(r.session.Src, name) }

// List returns the entries of a folder of the pushed tree, by name; "." is its
// top.
func (r *Run) List(name string) ([]os.DirEntry, error) {
	full, err := below(r.session.Src, name)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return os.ReadDir(full)
}

// Stat describes a path of the pushed tree; links are not followed.
func (r *Run) Stat(name string) (os.FileInfo, error) {
	full, err := below(r.session.Src, name)
	if err != nil {
		return nil, &os.PathError{Op: "stat", Path: name, Err: err}
	}
	return os.Lstat(full)
}

// ReadLink returns the target of a symbolic link of the pushed tree, as written. The
// host does not follow it: its target may be outside the tree.
func (r *Run) ReadLink(name string) (string, error) {
	full, err := below(r.session.Src, name)
	if err != nil {
		return "", &os.PathError{Op: "readlink", Path: name, Err: err}
	}
	return os.Readlink(full)
}

// ReadResult returns an artifact of the container with that id.
func (r *Run) ReadResult(id, name string) ([]byte, error) {
	return readIn(r.session.Results, id+"/"+name)
}

// OpenResult opens an artifact of the container with that id.
func (r *Run) OpenResult(id, name string) (*os.File, error) {
	return openIn(r.session.Results, id+"/"+name)
}

func readIn(folder, name string) ([]byte, error) {
	f, err := openIn(folder, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

func openIn(folder, name string) (*os.File, error) {
	full, err := below(folder, name)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return os.Open(full)
}

// below joins a folder and a path from its top that must not leave it.
func below(folder, name string) (string, error) {
	if folder == "" {
		return "", os.ErrNotExist
	}
	if name == "" || path.IsAbs(name) || path.Clean(name) != name || name == ".." || strings.HasPrefix(name, "../") {
		return "", os.ErrInvalid
	}
	return folder + "/" + name, nil
}

// Artifact stores data under a name below /out and creates folders as needed.
func (r *Run) Artifact(name string, data []byte) error {
	full, err := below(r.session.Artifacts, name)
	if err == nil {
		if err = os.MkdirAll(path.Dir(full), 0o777); err == nil {
			err = os.WriteFile(full, data, 0o666)
		}
	}
	if err != nil {
		return errors.New("cannot store artifact " + name + ": " + err.Error())
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.put(Record{Type: "artifact", Path: name})
	return nil
}

// Report adds a finding. The default level is "error". An error fails the run.
// Findings above Limits.Findings are counted, not listed.
func (r *Run) Report(f Finding) {
	if f.Level == "" {
		f.Level = "error"
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if f.Level == "error" {
		r.errors++
	}
	if r.Limits.Findings > 0 && r.found >= r.Limits.Findings {
		r.more++
		return
	}
	r.found++
	r.put(Record{Type: "finding", Finding: &f})
}

// Failed reports whether an error was reported, or the change was refused.
func (r *Run) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.errors > 0 || r.verdict == "fail"
}

// Error reports an error, which refuses the change, at a line from 1 or, with 0, for
// the whole file.
func (r *Run) Error(path string, line int, message string) {
	r.Report(Finding{Path: path, Line: line, Level: "error", Message: message})
}

// Warn reports a warning, which does not refuse the change.
func (r *Run) Warn(path string, line int, message string) {
	r.Report(Finding{Path: path, Line: line, Level: "warning", Message: message})
}

// Note reports a note, which does not refuse the change.
func (r *Run) Note(path string, line int, message string) {
	r.Report(Finding{Path: path, Line: line, Level: "note", Message: message})
}

// Progress shows one line to people who watch the run. A line that an earlier call
// of this lane run has shown is not repeated.
func (r *Run) Progress(message string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.replay == 0 {
		r.put(Record{Type: "progress", Message: message})
	}
}

// Log writes a line to the lane run's log. Like Progress, it does not repeat a line.
func (r *Run) Log(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.replay == 0 && !r.silent {
		io.WriteString(r.session.Log, strings.TrimSuffix(text, "\n")+"\n")
	}
}

// Fail refuses the change, with the reason. It does not end check; it returns nil so
// that check can return it.
func (r *Run) Fail(reason string) error { return r.decide("fail", reason) }

// Skip reports that there was nothing to judge. Errors that were reported still fail
// the run. It returns nil, as Fail does.
func (r *Run) Skip(reason string) error { return r.decide("skip", reason) }

// Pass sets the message of a passed run. Errors that were reported still fail it. It
// returns nil, as Fail does.
func (r *Run) Pass(reason string) error { return r.decide("pass", reason) }

// decide keeps the first fail, else the last word.
func (r *Run) decide(verdict, reason string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.verdict != "fail" {
		r.verdict, r.reason = verdict, reason
	}
	return nil
}
