package lanerun

// The operations of sdk/ABI.md section 9 that this host offers.
const (
	OpStart  = "container.start@1"
	OpResult = "container.result@1"
	OpLog    = "container.log@1"
	OpInfo   = "host.info@1"

	OpRequest  = "http.request@1"
	OpResponse = "http.response@1"
	OpChanges  = "changes.list@1"
	OpGet      = "kv.get@1"
	OpSet      = "kv.set@1"
)

// Operations that give a plugin the content that a push adds, on the way to its
// end as well.
const (
	OpHistory = "history.list@1"
	OpBlobs   = "blobs.read@1"
)

// OfferedTo lists the operations that a plugin with some capabilities may call.
func OfferedTo(can func(capability string) bool) []string {
	ops := []string{}
	if can("repo.read") {
		ops = append(ops, OpChanges, OpBlobs)
	}
	if can("repo.read") && can("repo.history") {
		ops = append(ops, OpHistory)
	}
	if can("container") {
		ops = append(ops, OpStart, OpResult, OpLog)
	}
	if can("http") {
		ops = append(ops, OpRequest, OpResponse)
	}
	if can("kv") {
		ops = append(ops, OpGet, OpSet)
	}
	return append(ops, OpInfo)
}
