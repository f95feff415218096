package store

import (
	"slices"
	"time"

	"github.com/pushlane/pushlane/host/internal/alive"
)

// Run is one judgement at one gate.
type Run struct {
	ID       int64 // unique in this database
	Number   int64 // from 1, per repository
	RepoKey  string
	RepoName string
	Gate     string
	Remote   string
	Pusher   string
	State    State
	Exit     int    // 0 accepted, 1 a lane refused, 3 could not decide; valid once State is final
	Message  string // why it ended as it did
	Skip     string // the reason a pusher gave for leaving lanes out, or empty
	Queued   time.Time
	Started  time.Time // zero: not yet
	Ended    time.Time // zero: not yet
	Host     Host
	Updates  []Update
	Lanes    []LaneRun // filled by Begin and Run, not by Runs

	Waiting  bool      // it was made to be claimed
	Origin   string    // key of what asked for it, unique per repository when not empty
	Priority int       // 1 high, 0 normal, -1 low
	RerunOf  int64     // Number of the run that it repeats, 0 for none
	CancelBy string    // who asked for its end while it ran, "" for no one
	Lease    time.Time // when its claim ends; zero: none
	Fence    int64     // grows with every claim; what a claim's holder shows when it writes
	Parked   bool      // it waits for a group and is not claimed before a place may be free
	Deaths   int       // of hosts that worked on it

	Passed, Total int // lane runs, latest attempts: passed of all
}

// Protected reports whether the run judges a protected ref.
func (r Run) Protected() bool {
	return slices.ContainsFunc(r.Updates, func(u Update) bool { return u.Protected })
}

// OwnLanes reports whether an update of the run was judged by lanes that came
// with it. A nightly run judges a commit by its lanes, which were there before,
// and so does a new branch at a commit that is there: it brings nothing.
func (r Run) OwnLanes(u Update) bool {
	return r.Gate != "schedule" && u.LanesRev == u.New && u.Base != u.New
}

// ProtectedLanes reports whether protected lanes judged an update of the run: for
// a protected ref, and not those that came with the push.
func (r Run) ProtectedLanes(u Update) bool { return u.Protected && !r.OwnLanes(u) }

// Update is one ref line that the run judges.
type Update struct {
	Ref    string
	Old    string // object id, zeros when the ref is new
	New    string // object id, zeros when the ref is deleted
	Base   string // object id the changes are counted from
	Forced bool

	Protected bool      // a required lane's no refuses it
	LanesRev  string    // commit whose lanes file judges it, "" where it is not out of a commit
	Lanes     LanesFile // filled by Run, RunByID, Find and Claim, not by Runs
}

// LanesFile is the lanes file that judges an update. Its content is stored once,
// however many runs it judges.
type LanesFile struct {
	Source string
	Text   []byte
}

// LaneRun is one attempt of one lane at one update.
type LaneRun struct {
	ID       int64 // unique in this database
	Run      int64 // the run's ID
	Update   int   // index into the run's Updates, -1 for none
	Lane     string
	Title    string
	Attempt  int    // from 1
	Path     string // what picked the lane
	Glob     string
	Reason   string
	Plugin   string
	Digest   string // of the plugin, sha256 in hex, once known
	Image    string // fingerprint of the container image, once known
	State    State
	Required bool
	Queued   time.Time
	Started  time.Time // zero: not yet
	Ended    time.Time // zero: not yet
	Message  string    // the verdict's words
	Log      File      // its path is known before the lane ends if Facts has it

	CachedFrom int64 // number of the run whose result it is, 0 for its own

	Supersede bool   // a newer run may take it out of the queue
	Group     string // concurrency group, "" for none
}

// File is a file that is stored next to the database.
type File struct {
	Name   string // of an artifact, as the plugin named it
	Path   string
	Size   int64  // bytes
	SHA256 string // hex
}

// Finding is one message of a lane run at a place in the tree.
type Finding struct {
	LaneRun int64 // filled when read
	Path    string
	Line    int    // from 1; 0 for the whole file
	Col     int    // from 1, in bytes; 0 for the whole line
	Level   string // error, warning or note
	Rule    string
	Message string
}

// NewRun is what Begin needs to know.
type NewRun struct {
	RepoKey  string // the common git folder, absolute
	RepoName string
	Gate     string
	Remote   string
	Pusher   string
	Skip     string
	Waiting  bool      // true: the run is queued, to be claimed; false: it is running
	At       time.Time // zero: now
	Host     Host      // zero: this process
	Updates  []Update
	Lanes    []NewLane
	Origin   string // key of what asks for it; a second run of the same is refused
	Retakes  bool   // the origin is taken from the run that has it, instead
	Priority int    // 1 high, 0 normal, -1 low
	RerunOf  int64  // Number of the run that it repeats, 0 for none
}

// NewLane is the decision about one lane, picked or not. Only a picked one
// becomes a lane run; for every one the decision is stored as an event.
type NewLane struct {
	Update    int // index into Updates, -1 for none
	Lane      string
	Title     string
	Picked    bool
	Path      string
	Glob      string
	Reason    string
	Plugin    string
	Required  bool
	Supersede bool   // with Waiting: takes the same lane of the same ref out of older queued runs made so
	Group     string // concurrency group, "" for none
}

// Host names the process that works on a run, so that its death is noticed.
type Host = alive.Process

// ThisHost names the calling process.
func ThisHost() Host { return alive.Self() }

// Event is one line of a run's history. Events are only ever added.
type Event struct {
	Seq     int64 // from 1 in each run; filled when read
	LaneRun int64 // 0: the run as a whole, or a lane that was not picked
	Lane    string
	Kind    string
	At      time.Time // zero: now
	Message string
}
