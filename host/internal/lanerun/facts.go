package lanerun

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/pushlane/pushlane/host/internal/wasm"
)

// maxFactBytes is what the questions of one run may take together; a run whose
// questions are longer is not remembered.
const maxFactBytes = 16 << 20

// full reports whether the run asks too much to be remembered.
func (m *memory) full() bool { return len(m.facts) > maxFacts || m.bytes > maxFactBytes }

// pageOf is the answer to changes.list@1, nothing where the query was wrong.
func pageOf(a wasm.Answer) []byte {
	if a.Code < 0 {
		return nil
	}
	return a.Data
}

// markOf is what a fact holds of an answer.
func markOf(answer []byte) string {
	sum := sha256.Sum256(answer)
	return hex.EncodeToString(sum[:16])
}
