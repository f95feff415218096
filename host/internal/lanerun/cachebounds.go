package lanerun

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/pushlane/pushlane/host/internal/wasm"
)

// maxInputBytes is what the questions of one run may take together; a run whose
// questions are longer is not cached.
const maxInputBytes = 16 << 20

// full reports whether the run asks too much to be cached.
func (m *cacheEntry) full() bool { return len(m.inputs) > maxInputs || m.bytes > maxInputBytes }

// pageOf is the answer to changes.list@1, nothing where the query was wrong.
func pageOf(a wasm.Answer) []byte {
	if a.Code < 0 {
		return nil
	}
	return a.Data
}

// digestOf is what a input holds of an answer.
func digestOf(answer []byte) string {
	sum := sha256.Sum256(answer)
	return hex.EncodeToString(sum[:16])
}
